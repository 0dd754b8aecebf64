"""Lists and selects microphones with PortAudio, on systems other than Linux. Does not import numpy."""

import atexit
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kwsd.audio.no_microphone import no_microphone
from kwsd.errors import AbsentError, AudioError, UsageError


@dataclass(frozen=True)
class Device:
    """An input device of PortAudio."""

    index: int
    name: str
    api: str  # Core Audio, WASAPI, ...
    channels: int  # maximum that it can record
    rate: int  # native sample rate, Hz
    default: bool

    def __str__(self) -> str:
        return f"{self.index} {self.name!r}"


def portaudio() -> Any:
    """Import sounddevice, which starts PortAudio. Raises AudioError if that fails."""
    try:
        import sounddevice
    except ImportError as error:
        raise AudioError("sounddevice is not installed: pip install sounddevice") from error
    except OSError as error:
        raise AudioError(f"the PortAudio library is not installed: install portaudio ({error})") from error
    except Exception as error:  # a PortAudioError, which cannot be imported here
        raise AudioError(f"PortAudio failed to start: {error}") from error
    return sounddevice


def refresh() -> None:
    """Restart PortAudio, which updates its list of devices only when it starts. No stream may be open.

    Raises AudioError if it fails to start.
    """
    sounddevice = portaudio()
    try:
        while sounddevice._initialized:
            sounddevice._terminate()
        sounddevice._initialize()
    except sounddevice.PortAudioError as error:
        raise AudioError(f"PortAudio failed to start: {error}") from error


def abandon() -> None:
    """Let the process exit without stopping PortAudio, because stopping it never returns if it hangs.

    If PortAudio is still starting, there is no exit handler to remove.
    """
    if sounddevice := sys.modules.get("sounddevice"):
        with suppress(AttributeError):
            atexit.unregister(sounddevice._exit_handler)


def devices() -> list[Device]:
    """All input devices. Raises AudioError if PortAudio cannot be used."""
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
    """The device that `wanted` selects.

    wanted: an index, or a part of a name, ignoring case; an exact match takes precedence. None is the default
    device. Raises UsageError if none or several match, AbsentError if there is no microphone at all.
    """
    if not candidates:
        raise AbsentError(no_microphone())
    if wanted is None:
        return next((device for device in candidates if device.default), candidates[0])
    if wanted.isdigit():
        matching = [device for device in candidates if device.index == int(wanted)]
    else:
        named = {device: device.name.lower() for device in candidates}
        matching = [device for device in candidates if wanted.lower() in named[device]]
        matching = [device for device in matching if wanted.lower() == named[device]] or matching
    if len(matching) == 1:
        return matching[0]
    listed = ", ".join(map(str, matching or candidates))
    count = "several microphones match" if matching else "no microphone matches"
    raise UsageError(f"{count} --device {wanted!r}; available: {listed}")


def accepts(device: Device, rate: int, channels: int) -> bool:
    """Whether it can record int16 at this rate (Hz) with this number of channels."""
    sounddevice = portaudio()
    try:
        sounddevice.check_input_settings(
            device=device.index, channels=channels, dtype="int16", samplerate=rate
        )
    except sounddevice.PortAudioError:
        return False
    return True
