"""Audio from a microphone through PortAudio, on systems other than Linux."""

import threading
from typing import Any

from kwsd.audio.capture import Capture
from kwsd.audio.portaudio.devices import (
    Device,
    abandon,
    accepts,
    choose,
    devices,
    find_again,
    portaudio,
    refresh,
)
from kwsd.errors import AbsentError, AudioError
from kwsd.pcm import SAMPLE_RATE

HELD = 4  # callbacks' worth of audio that PortAudio may hold
CLOSING = 5.0  # seconds after which PortAudio hangs


class PortAudioMicrophone(Capture):
    """A device of PortAudio that is recorded: at 16 kHz where it can, else at its own rate."""

    def __init__(self, device: Device, channel: int | None, latency: float) -> None:
        """`latency`: seconds of audio that PortAudio gives at a time. Raises AudioError, UsageError."""
        sounddevice = portaudio()
        shapes = ((SAMPLE_RATE, device.channels), (device.rate, device.channels), (device.rate, 1))
        rate, channels = next((s for s in shapes[:2] if accepts(device, *s)), shapes[2])
        super().__init__(device.name, device.api, rate, channels, channel)

        def take(data: Any, _frames: int, _time: Any, status: Any) -> None:
            if status.input_overflow:
                self._lose()
            self._write(data)

        try:
            self._stream = sounddevice.RawInputStream(
                device=device.index,
                samplerate=rate,
                channels=channels,
                dtype="int16",
                blocksize=round(latency * rate),
                latency=HELD * latency,
                callback=take,
                finished_callback=self._ring.close,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise AudioError(f"cannot open the microphone {self.name!r}: {error}") from error

    def _release(self) -> None:
        """Raises AudioError where PortAudio never returns."""
        closer = threading.Thread(target=self._stream.close, daemon=True)
        closer.start()
        closer.join(CLOSING)
        if closer.is_alive():
            abandon()
            raise AudioError(f"PortAudio hangs on the microphone {self.name!r}: start kwsd again")


class PortAudioOpener:
    """Opens the device `wanted`, by index or a part of its name; None: the default."""

    max_backoff = 10.0  # seconds; to list the devices PortAudio opens each of them, which is expensive

    def __init__(self, wanted: str | None, channel: int | None, latency: float) -> None:
        """Raises AudioError where there is no PortAudio."""
        portaudio()
        self._wanted, self._channel, self._latency = wanted, channel, latency
        self._known: Device | None = None  # the one opened first, to be found again by its whole name
        self._fresh = True  # PortAudio's list of devices

    @property
    def name(self) -> str:
        return self._known.name if self._known else self._wanted or "default"

    def open(self) -> PortAudioMicrophone:
        """Raises AudioError, or UsageError where the name fits none or several."""
        if not self._fresh:
            refresh()
        self._fresh = False
        if self._known:
            found = find_again(self._known, devices())
            if found is None:
                raise AbsentError(f"the microphone {self._known.name!r} is not there")
        else:
            found = choose(self._wanted, devices())
        microphone = PortAudioMicrophone(found, self._channel, self._latency)
        self._known = found
        return microphone

    def abandon(self) -> None:
        """Let the process end although `open` has not returned."""
        abandon()
