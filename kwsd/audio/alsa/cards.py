"""Lists, selects and opens the ALSA devices that can record."""

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
from kwsd.audio.no_microphone import no_microphone
from kwsd.errors import AbsentError, UsageError

DEFAULT = "default"
PROBE_LATENCY = 0.1  # seconds, for opening a device only to see whether it works
# names that ALSA and its plugins define, which are not microphones or only aliases of the cards
STANDARD = (
    "cards hw plughw plug shm tee file null sysdefault front rear center_lfe side surround21 surround40 "
    "surround41 surround50 surround51 surround71 iec958 spdif hdmi dmix dsnoop modem phoneline lavrate "
    "samplerate speexrate jack oss pulse pipewire a52 speex upmix vdownmix usbstream"
)


@dataclass(frozen=True)
class Device:
    """An ALSA device that can record. `name` is its ALSA name."""

    name: str
    description: str
    rate: int = 0  # native sample rate, Hz; 0 if it could not be opened
    channels: int = 0  # 0 if it could not be opened
    problem: str = ""  # why it cannot be opened

    def __str__(self) -> str:
        return f"{self.name!r} ({self.description})"


def devices() -> list[Device]:
    """ALSA's default device, all cards that can record, and the devices in the user's ALSA configuration.

    Opens each briefly. Raises AudioError if ALSA cannot be used.
    """
    read_configuration()
    named = [name for name in configured_names() if name not in [*STANDARD.split(), DEFAULT]]
    tried = [_probe(DEFAULT, "ALSA's default"), *(_probe(*card) for card in cards())]
    tried += [_probe(name, "from the ALSA configuration") for name in named]
    return [device for device in tried if device]


def _probe(name: str, description: str) -> Device | None:
    """The device with this name; None if it does not exist or cannot record."""
    try:
        with open_pcm(name, PROBE_LATENCY) as pcm:
            return Device(name, description, pcm.rate, pcm.channels)
    except AlsaError as error:
        if error.code in (errno.EBUSY, errno.EACCES, errno.EPERM):
            return Device(name, description, problem=str(error))
        return None


def choose(wanted: str, listed: list[Device] | None = None) -> str:
    """The ALSA name of the device that `wanted` selects.

    wanted: an ALSA name, the index of a listed device, or a part of a name or description. listed: the
    devices to choose from; None lists them. Raises UsageError if none or several match.
    """
    if wanted.partition(":")[0] in configured_names():
        return wanted
    candidates = devices() if listed is None else listed
    if wanted.isdigit():
        matching = candidates[int(wanted) :][:1]
    else:
        text = wanted.lower()
        matching = [each for each in candidates if text in f"{each.name} {each.description}".lower()]
    if len(matching) == 1:
        return matching[0].name
    there = ", ".join(map(str, matching or candidates)) or "none"
    count = "several microphones match" if matching else "no microphone matches"
    raise UsageError(f"{count} --device {wanted!r}; available: {there}")


class CardOpener:
    """Opens an ALSA device, and later reopens the same one."""

    max_backoff = 10.0  # seconds

    def __init__(self, wanted: str | None, channel: int | None, latency: float) -> None:
        """wanted: see `choose`; None is the default device. channel, latency: see `opener`.

        Raises AudioError if ALSA is not installed.
        """
        library()
        self._wanted, self._channel, self._latency = wanted, channel, latency
        self._known: str | None = None  # the ALSA name of the device that was opened first

    @property
    def name(self) -> str:
        return self._known or self._wanted or DEFAULT

    def open(self) -> AlsaMicrophone:
        """Open the device. Raises AudioError, or UsageError if `wanted` matches none or several."""
        read_configuration()
        if self._known or self._wanted:
            pcm = self._open(self._known or choose(str(self._wanted)))
        else:
            pcm = self._open_default()
        self._known = pcm.name
        return AlsaMicrophone(pcm, self._channel)

    def abandon(self) -> None:
        """Do nothing: a hanging call of ALSA does not keep the process from exiting."""

    def _open_default(self) -> Pcm:
        """Open ALSA's default device or, if that cannot record, the first device that can.

        If the default exists but fails, for example because the sound server is not running, no other device
        is opened, because that would take the card away from the server.
        """
        try:
            return self._open(DEFAULT)
        except AbsentError:
            pass
        except AlsaError as error:
            if error.code in (errno.ECONNREFUSED, errno.EHOSTDOWN):
                raise AbsentError(no_microphone()) from error
            raise
        for device in devices():
            return self._open(device.name)
        raise AbsentError(no_microphone())

    def _open(self, name: str) -> Pcm:
        return open_pcm(name, self._latency, self._channel)
