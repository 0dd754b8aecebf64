"""Records through PortAudio, on systems other than Linux."""

import threading
from typing import Any

from kwsd.audio.capture import Capture
from kwsd.audio.portaudio.devices import (
    Device,
    abandon,
    accepts,
    choose,
    devices,
    portaudio,
    refresh,
)
from kwsd.errors import AbsentError, AudioError
from kwsd.pcm import SAMPLE_RATE

BUFFERED_CALLBACKS = 4  # length of PortAudio's buffer, in callbacks
CLOSE_TIMEOUT = 5.0  # seconds after which PortAudio counts as hanging


class PortAudioMicrophone(Capture):
    """Records a device of PortAudio at 16 kHz or, if it cannot do that, at its native rate."""

    def __init__(self, device: Device, channel: int | None, latency: float) -> None:
        """channel: see `Capture`. latency: seconds of audio per callback. Raises AudioError or UsageError."""
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
                latency=BUFFERED_CALLBACKS * latency,
                callback=take,
                finished_callback=self._ring.close,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise AudioError(f"cannot open the microphone {self.name!r}: {error}") from error

    def _release(self) -> None:
        """Close the stream. Raises AudioError if PortAudio hangs."""
        closer = threading.Thread(target=self._stream.close, daemon=True)
        closer.start()
        closer.join(CLOSE_TIMEOUT)
        if closer.is_alive():
            abandon()
            raise AudioError(f"PortAudio hangs while it closes the microphone {self.name!r}: restart kwsd")


class PortAudioOpener:
    """Opens a device, and later reopens the same one."""

    max_backoff = 10.0  # seconds; to list the devices PortAudio opens each of them, which is expensive

    def __init__(self, wanted: str | None, channel: int | None, latency: float) -> None:
        """wanted: see `choose`. channel, latency: see `opener`. Raises AudioError without PortAudio."""
        portaudio()
        self._wanted, self._channel, self._latency = wanted, channel, latency
        self._known: Device | None = None  # the device opened first; later it is found by its full name
        self._list_is_fresh = True  # PortAudio's list of devices

    @property
    def name(self) -> str:
        return self._known.name if self._known else self._wanted or "default"

    def open(self) -> PortAudioMicrophone:
        """Open the device. Raises AudioError, or UsageError if `wanted` matches none or several."""
        if not self._list_is_fresh:
            refresh()
        self._list_is_fresh = False
        found = self._same_as(self._known) if self._known else choose(self._wanted, devices())
        microphone = PortAudioMicrophone(found, self._channel, self._latency)
        self._known = found
        return microphone

    def _same_as(self, known: Device) -> Device:
        """The connected device of the same name. Raises AbsentError if there is none, or several."""
        same = [device for device in devices() if (device.name, device.api) == (known.name, known.api)]
        if not same:
            raise AbsentError(f"the microphone {known.name!r} is not connected")
        if len(same) > 1:
            raise AbsentError(f"{len(same)} microphones are called {known.name!r}: unplug all but one")
        return same[0]

    def abandon(self) -> None:
        """Let the process exit even if `open` never returns."""
        abandon()
