"""Opening "the microphone": the one that was asked for, and the same one again whenever it was lost."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from kwsd.errors import AudioError
from kwsd.pcm import Samples

LATENCY = 0.2  # seconds of audio taken at a time: what is longer costs less processor and answers later

log = logging.getLogger(__name__)


class Microphone(Protocol):
    """An open microphone, whatever it is recorded through."""

    @property
    def description(self) -> str:
        """Its name, and how it is recorded."""

    @property
    def waiting(self) -> str:
        """Why no audio comes although it is open, such as "... is suspended"; empty while audio comes."""

    @property
    def muted(self) -> str:
        """The command that unmutes it, where the audio system says that it is muted; else empty."""

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


class Opener(Protocol):
    """Opens a microphone, and the same one again whenever it was lost."""

    @property
    def name(self) -> str:
        """What a person calls the microphone."""

    @property
    def pause(self) -> float:
        """Seconds between two attempts to open it, at most: the less the less an attempt costs."""

    def open(self) -> Microphone:
        """May take long, or never return where the audio system hangs.

        Raises AudioError, or UsageError where what was asked for fits none or several.
        """

    def abandon(self) -> None:
        """Let the process end although `open` has not returned."""


def opener(device: str | None = None, channel: int | None = None, latency: float = LATENCY) -> Opener:
    """For the microphone `device`, by name, index or a part of its name; None: the default.

    channel: the one to hear, counted from 1; None: their mean. latency: seconds of audio taken at a time.
    Raises AudioError where there is no library to open it with.
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
    """A microphone as ``kwsd devices`` shows it."""

    index: int | None  # as --device takes it; None where it is the sound server's sources that are counted
    name: str
    description: str
    system: str  # what it is recorded through: ALSA, Core Audio, ...
    rate: int  # Hz, of its own; 0 where it is not known, as are the channels
    channels: int
    default: bool
    problem: str = ""  # why it cannot be opened


def microphones() -> list[Listed]:
    """All microphones. May take long where the audio system hangs. Raises AudioError."""
    if sys.platform == "linux":
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
                None if served else index,
                device.name,
                device.description,
                "ALSA",
                device.rate,
                device.channels,
                not served and (device.name == default or (default is None and index == 0)),
                device.problem,
            )
            for index, device in enumerate(found)
        ]
    from kwsd.audio.portaudio.devices import devices

    return [
        Listed(one.index, one.name, "", one.api, one.rate, one.channels, one.default) for one in devices()
    ]


def library() -> str:
    """Name and version of what kwsd records through. Raises AudioError where it cannot be used."""
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
