"""What an open microphone is, whatever library records it: frames go into a ring, 16 kHz mono comes out."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from kwsd.audio.channels import Mixer
from kwsd.audio.resample import Resampler
from kwsd.audio.ring import RingBuffer
from kwsd.errors import AudioError
from kwsd.pcm import Samples, to_float32

CAPACITY = 4.0  # seconds in the ring
SILENT = 1.0  # seconds without audio after which the microphone is gone
FIRST = 5.0  # the same before its first audio: a headset takes its time
LOOK = 0.25  # seconds between two looks; several, as a process that was frozen finds the time gone by


class Capture:
    """An open microphone. The library's thread calls `_write` and `_lose`; its reader iterates."""

    waiting = ""
    muted = ""

    def __init__(self, name: str, system: str, rate: int, channels: int, channel: int | None) -> None:
        """`system` records it. `rate` (Hz) and `channels` are those of the frames that will be written.

        `channel`: the one to hear, counted from 1; None: their mean. Raises UsageError for one it lacks.
        """
        self.name = name
        plural = "" if channels == 1 else "s"
        self.description = f"{name} ({system}), {rate} Hz, {channels} channel{plural}"
        self._rate = rate
        self._channels = channels
        self._mixer = Mixer(name, channels, rate, channel)
        self._resampler = Resampler(rate)
        self._ring = RingBuffer(round(CAPACITY * rate), channels)
        self._losses, self._lost = 0, 0.0  # times, and seconds; moved by the library's thread alone
        self._stopped = False

    @property
    def overruns(self) -> int:
        return self._losses + self._ring.overruns

    @property
    def dropped(self) -> float:
        return self._lost + self._ring.dropped / self._rate

    @property
    def backlog(self) -> float:
        return self._ring.waiting / self._rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self.close()

    def __iter__(self) -> Iterator[Samples]:
        silent, limit = 0.0, FIRST
        while silent < limit and not self._ring.closed:
            frames = self._ring.read(LOOK)
            silent += LOOK
            if len(frames):
                silent, limit = 0.0, SILENT
                yield self._resampler.push(self._mixer.push(to_float32(frames)))
        if not self._stopped:
            raise AudioError(f"no more audio from the microphone {self.name!r}: was it unplugged?")

    def stop(self) -> None:
        self._stopped = True
        self._ring.close()

    def close(self) -> None:
        """Release the device, within seconds whatever the audio system does. Nothing is read any more."""
        self._release()
        del self._resampler  # soxr complains of those that are left when the process ends

    def _release(self) -> None:
        raise NotImplementedError

    def _write(self, data: Any) -> None:
        """Take interleaved int16 frames, as bytes."""
        self._ring.write(np.frombuffer(data, np.int16).reshape(-1, self._channels))

    def _lose(self, seconds: float = 0.0) -> None:
        """Count a loss of audio, and the seconds of it where they are known."""
        self._losses += 1
        self._lost += seconds
