"""kwsd as a systemd service: notifying systemd, unit files, installing and removing."""
