"""PortAudio, where there is no ALSA: listing the microphones, choosing one. Imports no numpy."""

import atexit
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kwsd.errors import AbsentError, AudioError, UsageError
from kwsd.resources import page


@dataclass(frozen=True)
class Device:
    """An input device as PortAudio tells of it."""

    index: int
    name: str
    api: str  # ALSA, JACK, Core Audio, ...
    channels: int  # the most it can record
    rate: int  # its own, Hz
    default: bool

    def __str__(self) -> str:
        return f"{self.index} {self.name!r}"


def portaudio() -> Any:
    """The sounddevice module, with PortAudio started. Raises AudioError where that cannot be."""
    try:
        import sounddevice
    except ImportError as error:
        raise AudioError("sounddevice is not installed: pip install sounddevice") from error
    except OSError as error:
        raise AudioError(f"the PortAudio library is not here: install portaudio ({error})") from error
    except Exception as error:  # a PortAudioError, of a module that could not be imported
        raise AudioError(f"PortAudio does not start: {error}") from error
    return sounddevice


def refresh() -> None:
    """List the devices anew, which PortAudio does only when it starts. No stream may be open.

    Raises AudioError where it does not start.
    """
    sounddevice = portaudio()
    try:
        while sounddevice._initialized:
            sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise AudioError(f"PortAudio does not start: {error}") from error


def abandon() -> None:
    """Let the process end without PortAudio's consent, which is not coming once it hangs.

    PortAudio that is still starting has registered nothing to wait for.
    """
    if sounddevice := sys.modules.get("sounddevice"):
        with suppress(AttributeError):
            atexit.unregister(sounddevice._exit_handler)


def devices() -> list[Device]:
    """All input devices. Raises AudioError where PortAudio is not to be had."""
    sounddevice = portaudio()
    apis = sounddevice.query_hostapis()
    default = sounddevice.default.device[0]
    return [
        Device(
            index=info["index"],
            name=info["name"],
            api=apis[info["hostapi"]]["name"],
            channels=info["max_input_channels"],
            rate=round(info["default_samplerate"]),
            default=info["index"] == default,
        )
        for info in sounddevice.query_devices()
        if info["max_input_channels"] > 0
    ]


def choose(wanted: str | None, candidates: list[Device]) -> Device:
    """The device of this index or this part of its name in any case (a whole name wins); None: the default.

    Raises UsageError where none or several fit, AbsentError where there is no microphone at all.
    """
    if not candidates:
        raise AbsentError(f"there is no microphone here; see {page('silent-microphone')}")
    if wanted is None:
        return next((device for device in candidates if device.default), candidates[0])
    if wanted.isdigit():
        fitting = [device for device in candidates if device.index == int(wanted)]
    else:
        named = {device: device.name.lower() for device in candidates}
        fitting = [device for device in candidates if wanted.lower() in named[device]]
        fitting = [device for device in fitting if wanted.lower() == named[device]] or fitting
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(map(str, fitting or candidates))
    count = "several microphones fit" if fitting else "no microphone fits"
    raise UsageError(f"{count} --device {wanted!r}; there are: {listed}")


def find_again(known: Device, candidates: list[Device]) -> Device | None:
    """The device of this name, or the only one whose name differs in nothing but ALSA's card number."""
    candidates = [device for device in candidates if device.api == known.api]
    for same in (str, _without_card):
        fitting = [device for device in candidates if same(device.name) == same(known.name)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def _without_card(name: str) -> str:
    return re.sub(r" \(hw:\d+,\d+\)$", "", name)


def accepts(device: Device, rate: int, channels: int) -> bool:
    """Whether it can record int16 at this rate (Hz) and channel count."""
    sounddevice = portaudio()
    try:
        sounddevice.check_input_settings(
            device=device.index, channels=channels, dtype="int16", samplerate=rate
        )
    except sounddevice.PortAudioError:
        return False
    return True
