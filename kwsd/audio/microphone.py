"""Opens and lists microphones with the audio library of the operating system."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kwsd.errors import AudioError
from kwsd.pcm import Samples

LATENCY = 0.2  # seconds of audio read at a time: a larger value saves CPU time but delays detection

log = logging.getLogger(__name__)


class Microphone(Protocol):
    """An open microphone of any audio library."""

    @property
    def description(self) -> str:
        """Its name and how it is recorded, to show to the user."""

    @property
    def waiting(self) -> str:
        """Why the microphone delivers no audio at the moment, such as "... is suspended"; else empty."""

    @property
    def muted(self) -> str:
        """The command that unmutes it if the audio system reports it as muted; else empty."""

    @property
    def overruns(self) -> int:
        """How many times audio was lost because it was not read in time."""

    @property
    def dropped(self) -> float:
        """Seconds of audio lost in overruns, as far as known."""

    @property
    def backlog(self) -> float:
        """Seconds of audio waiting to be read."""

    def __iter__(self) -> Iterator[Samples]:
        """Yield audio, shape (n,), 16 kHz. While there is none, yield a few empty arrays per second.

        Ends after `stop`, or when another microphone should be opened instead. Raises AudioError if the
        microphone is lost.
        """

    def stop(self) -> None:
        """Make the iteration end soon. May be called from any thread or signal handler."""

    def close(self) -> None:
        """Release the device. Returns within seconds even if the audio system hangs."""


class Opener(Protocol):
    """Opens a microphone, and reopens the same one after it was lost."""

    @property
    def name(self) -> str:
        """The name of the microphone to show to the user."""

    @property
    def max_backoff(self) -> float:
        """The longest time between two attempts to open it, in seconds."""

    def open(self) -> Microphone:
        """Open it. This may take a long time, and never returns if the audio system hangs.

        Raises AudioError, or UsageError if the requested device matches none or several.
        """

    def abandon(self) -> None:
        """Let the process exit even if `open` never returns."""


def opener(device: str | None = None, channel: int | None = None, latency: float = LATENCY) -> Opener:
    """The opener for a microphone.

    device: its name, a part of the name, or its index; None is the default microphone. channel: the channel
    to record, counted from 1; None is the mean of all. latency: seconds of audio that are read at a time.
    Raises AudioError if no audio library is installed.
    """
    if sys.platform == "linux":
        from kwsd.audio.pulse.libpulse import is_installed
        from kwsd.audio.pulse.sources import ServerOpener

        def card_opener() -> Opener:
            from kwsd.audio.alsa.cards import CardOpener

            return CardOpener(device, channel, latency)

        return ServerOpener(device, channel, latency, card_opener) if is_installed() else card_opener()
    from kwsd.audio.portaudio.microphone import PortAudioOpener

    return PortAudioOpener(device, channel, latency)


@dataclass(frozen=True)
class Listed:
    """A microphone in the list of ``kwsd devices``."""

    index: int | None  # for --device; None for ALSA devices if there is a sound server, which has its own
    name: str
    description: str
    system: str  # the audio system: ALSA, Core Audio, ...
    rate: int  # native sample rate, Hz; 0 if unknown
    channels: int  # 0 if unknown
    default: bool
    problem: str = ""  # why it cannot be opened


def microphones() -> list[Listed]:
    """All microphones. This may take a long time if the audio system hangs. Raises AudioError."""
    if sys.platform == "linux":
        return _linux_microphones()
    from kwsd.audio.portaudio.devices import devices

    return [
        Listed(
            index=device.index,
            name=device.name,
            description="",
            system=device.api,
            rate=device.rate,
            channels=device.channels,
            default=device.default,
        )
        for device in devices()
    ]


def _linux_microphones() -> list[Listed]:
    """The sources of the sound server if there is one, then the ALSA devices."""
    from kwsd.audio.alsa import cards
    from kwsd.audio.pulse import sources

    served = sources.listed()
    try:
        found = [one for one in cards.devices() if not (served and one.name == cards.DEFAULT)]
    except AudioError as error:
        if not served:
            raise
        log.warning("%s", error)
        found = []
    default = cards.DEFAULT if any(device.name == cards.DEFAULT for device in found) else None
    return served + [
        Listed(
            index=None if served else index,
            name=device.name,
            description=device.description,
            system="ALSA",
            rate=device.rate,
            channels=device.channels,
            default=not served and (device.name == default or (default is None and index == 0)),
            problem=device.problem,
        )
        for index, device in enumerate(found)
    ]


def library() -> str:
    """Name and version of the audio library. Raises AudioError if it cannot be used."""
    if sys.platform == "linux":
        from kwsd.audio.alsa import libasound as alsa
        from kwsd.audio.pulse import libpulse

        alsa.read_configuration()
        server = ""
        if libpulse.is_installed():
            server = f", libpulse {libpulse.libpulse().get_library_version().decode()}"
        return f"ALSA {alsa.version()}{server}"
    from kwsd.audio.portaudio.devices import portaudio

    return str(portaudio().get_portaudio_version()[1]).partition(",")[0]
