"""The daemon around the detector: main loop, signals, events, sinks and systemd service."""
