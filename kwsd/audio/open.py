"""Opens what the daemon listens to: a microphone, a file or standard input."""

from kwsd.audio.microphone import LATENCY
from kwsd.audio.source import Source
from kwsd.errors import UsageError


def open_source(
    given: str | None,
    device: str | None = None,
    exit_on_loss: bool = False,
    patient: bool = False,
    channel: int | None = None,
    latency: float = LATENCY,
) -> Source:
    """Open the microphone `device` (None: the default) or, where `given`, a file (its path) or stdin ("-").

    A microphone is supervised; for its options see `Supervisor`. channel: the one to hear, counted from 1;
    None: the mean of all.
    Raises UsageError or AudioError where that cannot be.
    """
    if given is None:
        from kwsd.audio.reconnecting import Supervisor

        return Supervisor(device, exit_on_loss, patient, channel, latency)
    if device is not None:
        raise UsageError("--device names a microphone and --input replaces it: give one of them")
    if given == "-":
        from kwsd.audio.pipe import PipeSource

        if channel not in (None, 1):
            raise UsageError(f"there is no channel {channel} in standard input: it is mono")
        return PipeSource()
    from kwsd.audio.file import FileSource

    return FileSource(given, channel)
