"""What to tell a user who has no microphone, or a container that was given none."""

from pathlib import Path

from kwsd.resources import page

CONTAINER_FILES = (Path("/.dockerenv"), Path("/run/.containerenv"))  # made by Docker, by Podman


def no_microphone() -> str:
    """The error message. In a container it names what to mount, since its pages are read on the host."""
    if any(file.exists() for file in CONTAINER_FILES):
        return (
            "no microphone was found: mount the sound server's folder or /dev/snd into the container, "
            "with the user or group that docs/containers.md shows"
        )
    return f"no microphone was found; see {page('silent-microphone')}"
