"""Acoustic conditions of an evaluation: noise at a signal-to-noise ratio, and reverb."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.reverb import reverberated
from kwsd.training.data.spool import Audio, Recording

Sound = Audio | Recording
Floats = npt.NDArray[np.float32]  # samples at the scale of int16: full scale is 32768

LEVEL_FRAME_SAMPLES = SAMPLE_RATE // 100  # 10 ms


@dataclass(frozen=True)
class AcousticConditions:
    """Noise and reverb that are added to all streams of an evaluation."""

    noise: Sequence[Sound] = ()
    """Recordings of noise; each stream gets a random segment of one of them."""

    snr: float | None = None
    """Decibels of the speech above the noise; None for no noise."""

    impulse_responses: Sequence[Audio] = ()
    """Impulse responses of rooms; each stream is convolved with one of them."""

    def random_room(self, random: np.random.Generator) -> Audio | None:
        """One of the impulse responses, if there are any."""
        rooms = self.impulse_responses
        return rooms[int(random.integers(len(rooms)))] if rooms else None


AS_RECORDED = AcousticConditions()


class RandomSegment:
    """A random segment of one of the recordings, repeated if it is too short; silence if there are none."""

    def __init__(self, recordings: Sequence[Sound], length: int, random: np.random.Generator) -> None:
        """length: in samples."""
        self._recording: Sound = np.zeros(1, np.int16)
        self._start = 0
        if recordings:
            self._recording = recordings[int(random.integers(len(recordings)))]
            self._start = int(random.integers(max(1, len(self._recording) - length + 1)))
        self._period = min(length, len(self._recording) - self._start)

    def __getstate__(self) -> dict[str, Any]:
        """The state for pickle, with only the segment of the recording."""
        segment = self._recording[self._start : self._start + self._period]
        return {"_recording": segment, "_start": 0, "_period": self._period}

    def read(self, start: int, length: int) -> Floats:
        """`length` samples of the segment, starting at its sample `start`."""
        parts = [np.empty(0, np.int16)]
        while length > 0:
            offset = start % self._period
            count = min(length, self._period - offset)
            parts.append(self._recording[self._start + offset : self._start + offset + count])
            start, length = start + count, length - count
        return np.concatenate(parts).astype(np.float32)


def in_room(audio: Floats, room: Audio | None, before: Floats | None = None) -> Floats:
    """Audio, (n,), convolved with a room's impulse response without its delay; unchanged if there is no room.

    before: the preceding audio, whose reverb continues into this.
    """
    if room is None:
        return audio
    response = room.astype(np.float32)
    return reverberated(audio, response[np.abs(response).argmax() :], before)


def frame_powers(audio: Audio | Floats) -> npt.NDArray[np.float64]:
    """Mean power of each 10 ms."""
    whole = len(audio) // LEVEL_FRAME_SAMPLES * LEVEL_FRAME_SAMPLES
    frames = audio[:whole].reshape(-1, LEVEL_FRAME_SAMPLES).astype(np.float64)
    power: npt.NDArray[np.float64] = (frames**2).mean(axis=1)
    return power


def noise_gain(speech: npt.NDArray[np.float64], noise: float, snr: float) -> float:
    """The factor that brings noise to `snr` decibels below the speech.

    speech: power of each frame; only the louder half counts, to exclude pauses. noise: mean power.
    """
    voiced = speech[speech >= np.median(speech)].mean()
    return float(np.sqrt(voiced / max(1.0, noise) * 10 ** (-snr / 10)))
