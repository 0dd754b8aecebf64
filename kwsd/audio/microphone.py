"""Audio from a microphone through PortAudio."""

import threading
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from kwsd.audio.portaudio import Device, abandon, accepts, choose, devices, portaudio, quiet
from kwsd.audio.resample import Resampler
from kwsd.audio.ring import RingBuffer
from kwsd.errors import AudioError
from kwsd.pcm import SAMPLE_RATE, Samples, to_float32

BLOCK = 0.05  # seconds of audio in a callback
LATENCY = 0.2  # seconds PortAudio may hold; at its own "low" the ALSA thread polls half a core away
CAPACITY = 4.0  # seconds in the ring
SILENT = 1.0  # seconds without audio after which the microphone is gone
FIRST = 5.0  # the same before its first audio: a headset takes its time
CLOSING = 5.0  # seconds after which PortAudio hangs
LOOK = 0.25  # seconds between two looks; several, as a process that was frozen finds the time gone by


class MicrophoneSource:
    """An open microphone, in 16 kHz mono where it can, else at its own rate and resampled by its reader.

    The audio system makes one channel of several where it can; else all are opened and kwsd takes the mean.
    """

    live = True
    waiting = ""

    def __init__(self, device: str | Device | None = None) -> None:
        """Open it, by index or a part of its name; None: the default. Raises UsageError or AudioError."""
        sounddevice = portaudio()
        chosen = device if isinstance(device, Device) else choose(device, devices())
        self.device = chosen
        self.name = chosen.name
        shapes = ((SAMPLE_RATE, 1), (chosen.rate, 1), (chosen.rate, chosen.channels))
        self._rate, channels = next((s for s in shapes[:2] if accepts(chosen, *s)), shapes[2])
        self._resampler = Resampler(self._rate)
        self._ring = RingBuffer(round(CAPACITY * self._rate), channels)
        self._overflows = 0  # moved by the callback alone
        self._stopped = False

        def copy(data: Any, _frames: int, _time: Any, status: Any) -> None:
            if status.input_overflow:
                self._overflows += 1
            self._ring.write(np.frombuffer(data, np.int16).reshape(-1, channels))

        try:
            with quiet():
                self._stream = sounddevice.RawInputStream(
                    device=chosen.index,
                    samplerate=self._rate,
                    channels=channels,
                    dtype="int16",
                    blocksize=round(BLOCK * self._rate),
                    latency=LATENCY,
                    callback=copy,
                    finished_callback=self._ring.close,
                )
                self._stream.start()
        except sounddevice.PortAudioError as error:
            raise AudioError(f"cannot open the microphone {self.name!r}: {error}") from error

    @property
    def overruns(self) -> int:
        return self._overflows + self._ring.overruns

    @property
    def dropped(self) -> float:
        return self._ring.dropped / self._rate

    @property
    def backlog(self) -> float:
        return self._ring.waiting / self._rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped = True
        self.close()

    def __iter__(self) -> Iterator[Samples]:
        silent, limit = 0.0, FIRST
        while silent < limit and not self._ring.closed:
            frames = self._ring.read(LOOK)
            silent += LOOK
            if len(frames):
                silent, limit = 0.0, SILENT
                yield self._resampler.push(to_float32(frames).mean(axis=1))
        if not self._stopped:
            raise AudioError(f"no more audio from the microphone {self.name!r}: was it unplugged?")

    def close(self) -> None:
        """Raises AudioError where PortAudio never returns, as may be once PulseAudio is killed."""
        closer = threading.Thread(target=self._stream.close, daemon=True)
        with quiet():
            closer.start()
            closer.join(CLOSING)
        if closer.is_alive():
            abandon()
            raise AudioError(f"PortAudio hangs on the microphone {self.name!r}: start kwsd again")

    def stop(self) -> None:
        self._stopped = True
        self._ring.close()
