"""Opening "the microphone": the one that was asked for, and the same one again whenever it was lost."""

from collections.abc import Iterator
from typing import Protocol

from kwsd.audio.microphone import MicrophoneSource
from kwsd.audio.portaudio import Device, abandon, devices, find_again, portaudio, refresh
from kwsd.errors import AbsentError
from kwsd.pcm import Samples


class Microphone(Protocol):
    """An open microphone, whatever it is recorded through."""

    @property
    def waiting(self) -> str:
        """Why no audio comes although it is open, such as "... is suspended"; empty while audio comes."""

    @property
    def overruns(self) -> int:
        """Times audio was lost because it was not taken fast enough."""

    @property
    def dropped(self) -> float:
        """Seconds of audio known to be lost so."""

    @property
    def backlog(self) -> float:
        """Seconds of audio that wait to be taken."""

    def __iter__(self) -> Iterator[Samples]:
        """Chunks of samples, and a few empty ones a second while no audio comes.

        Ends after `stop`, and where another microphone is to be opened at once. Raises AudioError once it is
        lost.
        """

    def stop(self) -> None:
        """End the iteration soon, from any thread or signal handler."""

    def close(self) -> None:
        """Release it, within seconds whatever the audio system does."""


class Opener:
    """Opens the microphone `device`, by index or a part of its name; None: the default."""

    def __init__(self, device: str | None = None) -> None:
        """Raises AudioError where PortAudio is not installed."""
        portaudio()
        self._wanted = device
        self._known: Device | None = None  # the one opened first, to be found again by its whole name
        self._fresh = True  # PortAudio's list of devices

    @property
    def name(self) -> str:
        """What a person calls the microphone."""
        return self._known.name if self._known else self._wanted or "default"

    def open(self) -> Microphone:
        """May take long, or never return where the audio system hangs.

        Raises AudioError, or UsageError where the name fits none or several.
        """
        if not self._fresh:
            refresh()
        self._fresh = False
        wanted: Device | str | None = self._wanted
        if self._known:
            wanted = find_again(self._known, devices())
            if wanted is None:
                raise AbsentError(f"the microphone {self._known.name!r} is not there")
        microphone = MicrophoneSource(wanted)
        self._known = microphone.device
        return microphone

    def abandon(self) -> None:
        """Let the process end although `open` has not returned."""
        abandon()
