"""Opens the source that the daemon listens to: a microphone, a file or standard input."""

from kwsd.audio.microphone import LATENCY
from kwsd.audio.source import Source
from kwsd.errors import UsageError


def open_source(
    path: str | None,
    device: str | None = None,
    *,
    exit_on_loss: bool = False,
    wait_for_device: bool = False,
    channel: int | None = None,
    latency: float = LATENCY,
) -> Source:
    """Open an audio file (its path), standard input ("-") or, if `path` is None, a microphone.

    channel: the channel to read, counted from 1; None averages all. The other options are for
    microphones only: see `ReconnectingMicrophone`. Raises UsageError or AudioError.
    """
    if path is None:
        from kwsd.audio.reconnecting import ReconnectingMicrophone

        return ReconnectingMicrophone(device, exit_on_loss, wait_for_device, channel, latency)
    if device is not None:
        raise UsageError("--device and --input exclude each other: --input replaces the microphone")
    if path == "-":
        from kwsd.audio.pipe import PipeSource

        if channel not in (None, 1):
            raise UsageError(f"standard input is mono: it has no channel {channel}")
        return PipeSource()
    from kwsd.audio.file import FileSource

    return FileSource(path, channel)
