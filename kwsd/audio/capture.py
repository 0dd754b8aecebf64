"""The base class of all microphones: turns frames from an audio library into 16 kHz mono."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from kwsd.audio.channels import Mixer
from kwsd.audio.resample import Resampler
from kwsd.audio.ring import RingBuffer
from kwsd.errors import AudioError
from kwsd.pcm import Samples, to_float32

RING_SECONDS = 4.0  # of audio in the ring buffer
LOSS_TIMEOUT = 1.0  # seconds without audio after which the microphone counts as lost
START_TIMEOUT = 5.0  # seconds that the first audio may take: a headset may need a few
# seconds of one wait for audio. The timeouts are counted in waits instead of clock time, because time in
# which the process is stopped must not count
WAIT_SECONDS = 0.25


class Capture:
    """An open microphone. The audio library's thread calls `_write` and `_lose`, and the reader iterates."""

    # see `Microphone`; for audio systems that do not report them, they stay empty
    waiting = ""
    muted = ""

    def __init__(self, name: str, system: str, rate: int, channels: int, channel: int | None) -> None:
        """name, system: names of the microphone and the audio system, to show to the user.

        rate (Hz), channels: of the frames that `_write` will get. channel: the channel to read, counted from
        1; None averages all. Raises UsageError if there is no such channel.
        """
        self.name = name
        plural = "" if channels == 1 else "s"
        self.description = f"{name} ({system}), {rate} Hz, {channels} channel{plural}"
        self._rate = rate
        self._channels = channels
        self._mixer = Mixer(name, channels, rate, channel)
        self._resampler = Resampler(rate)
        self._ring = RingBuffer(round(RING_SECONDS * rate), channels)
        self._losses = 0  # that the audio library reported; only its thread changes this and the next field
        self._lost_seconds = 0.0
        self._stopped = False

    @property
    def overruns(self) -> int:
        return self._losses + self._ring.overruns

    @property
    def dropped(self) -> float:
        return self._lost_seconds + self._ring.dropped / self._rate

    @property
    def backlog(self) -> float:
        return self._ring.waiting / self._rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        self.close()

    def __iter__(self) -> Iterator[Samples]:
        waited, timeout = 0.0, START_TIMEOUT
        while waited < timeout and not self._ring.closed:
            frames = self._ring.read(WAIT_SECONDS)
            waited += WAIT_SECONDS
            if len(frames):
                waited, timeout = 0.0, LOSS_TIMEOUT
                yield self._resampler.push(self._mixer.push(to_float32(frames)))
        if not self._stopped:
            raise AudioError(f"no more audio from the microphone {self.name!r}: was it unplugged?")

    def stop(self) -> None:
        self._stopped = True
        self._ring.close()

    def close(self) -> None:
        """Release the device. Returns within seconds even if the audio system hangs."""
        self._release()
        del self._resampler  # soxr prints a warning about resamplers that exist when the process exits

    def _release(self) -> None:
        """Stop recording and close the device."""
        raise NotImplementedError

    def _write(self, data: Any) -> None:
        """Add frames of interleaved int16, given as a buffer of bytes."""
        self._ring.write(np.frombuffer(data, np.int16).reshape(-1, self._channels))

    def _lose(self, seconds: float = 0.0) -> None:
        """Count one loss of audio, not of the microphone. seconds: its length if that is known."""
        self._losses += 1
        self._lost_seconds += seconds
