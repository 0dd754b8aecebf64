"""The ALSA devices that record: listing them, choosing one, opening it."""

import errno
from dataclasses import dataclass

from kwsd.audio.alsa.libasound import (
    AlsaError,
    Pcm,
    cards,
    configured_names,
    library,
    open_pcm,
    read_configuration,
)
from kwsd.audio.alsa.microphone import AlsaMicrophone
from kwsd.errors import AbsentError, UsageError
from kwsd.resources import page

DEFAULT = "default"
TRIAL = 0.1  # seconds of latency with which a device is tried
NOWHERE = f"there is no microphone here; see {page('silent-microphone')}"
# names that ALSA and its plugins bring along: no microphones, or other names of the cards
STANDARD = (
    "cards hw plughw plug shm tee file null sysdefault front rear center_lfe side surround21 surround40 "
    "surround41 surround50 surround51 surround71 iec958 spdif hdmi dmix dsnoop modem phoneline lavrate "
    "samplerate speexrate jack oss pulse pipewire a52 speex upmix vdownmix usbstream"
)


@dataclass(frozen=True)
class Device:
    """Something that records. `name` is what ALSA opens."""

    name: str
    description: str
    rate: int = 0  # Hz, of its own; 0 where it could not be opened, as is the next
    channels: int = 0
    problem: str = ""  # why it cannot be opened

    def __str__(self) -> str:
        return f"{self.name!r} ({self.description})"


def devices() -> list[Device]:
    """ALSA's default, every card that records, and what the user has defined in ALSA's configuration.

    Opens each for a moment. Raises AudioError where ALSA cannot be used.
    """
    read_configuration()
    named = [name for name in configured_names() if name not in [*STANDARD.split(), DEFAULT]]
    tried = [_try(DEFAULT, "ALSA's default"), *(_try(*card) for card in cards())]
    tried += [_try(name, "of ALSA's configuration") for name in named]
    return [device for device in tried if device]


def _try(name: str, description: str) -> Device | None:
    """None where there is nothing of this name that records."""
    try:
        with open_pcm(name, TRIAL) as pcm:
            return Device(name, description, pcm.rate, pcm.channels)
    except AlsaError as error:
        if error.code in (errno.EBUSY, errno.EACCES, errno.EPERM):
            return Device(name, description, problem=str(error))
        return None


def choose(wanted: str, listed: list[Device] | None = None) -> str:
    """The ALSA name of what a person calls `wanted`: that name, an index, or a part of name or description.

    Indices count the devices listed. Raises UsageError where none or several fit.
    """
    if wanted.partition(":")[0] in configured_names():
        return wanted
    candidates = devices() if listed is None else listed
    if wanted.isdigit():
        fitting = candidates[int(wanted) :][:1]
    else:
        fitting = [each for each in candidates if wanted.lower() in f"{each.name} {each.description}".lower()]
    if len(fitting) == 1:
        return fitting[0].name
    there = ", ".join(map(str, fitting or candidates)) or "none"
    count = "several microphones fit" if fitting else "no microphone fits"
    raise UsageError(f"{count} --device {wanted!r}; there are: {there}")


class CardOpener:
    """Opens the ALSA device `wanted`, chosen as `choose` does it; None: the default."""

    max_backoff = 10.0  # seconds

    def __init__(self, wanted: str | None, channel: int | None, latency: float) -> None:
        """Raises AudioError where there is no ALSA."""
        library()
        self._wanted, self._channel, self._latency = wanted, channel, latency
        self._known: str | None = None  # the ALSA name that was opened first

    @property
    def name(self) -> str:
        return self._known or self._wanted or DEFAULT

    def open(self) -> AlsaMicrophone:
        """Raises AudioError, or UsageError where the name fits none or several."""
        read_configuration()
        if self._known or self._wanted:
            pcm = self._open(self._known or choose(str(self._wanted)))
        else:
            pcm = self._open_default()
        self._known = pcm.name
        return AlsaMicrophone(pcm, self._channel)

    def abandon(self) -> None:
        """Let the process end although `open` has not returned: nothing of ALSA's keeps it."""

    def _open_default(self) -> Pcm:
        """Open ALSA's default or, where that is nothing that records, the first device that does.

        A default that is there and fails, as that of a sound server that does not run, has no other in its
        place: that would take the card away from the server.
        """
        try:
            return self._open(DEFAULT)
        except AbsentError:
            pass
        except AlsaError as error:
            if error.code in (errno.ECONNREFUSED, errno.EHOSTDOWN):
                raise AbsentError(NOWHERE) from error
            raise
        for device in devices():
            return self._open(device.name)
        raise AbsentError(NOWHERE)

    def _open(self, name: str) -> Pcm:
        return open_pcm(name, self._latency, self._channel)
