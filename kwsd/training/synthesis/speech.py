"""What is said and who says it: a line, a voice, and the finished clip."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kwsd.errors import AudioError
from kwsd.pcm import SAMPLE_RATE, to_float32, to_int16

Floats = npt.NDArray[np.float32]

_FRAME = SAMPLE_RATE // 100
_SILENCE = -42.0  # dB below the loudest frame
_BEFORE, _AFTER = 3, 6  # frames of quiet kept around the speech: onsets are soft, endings softer
_LEVEL = 0.08  # RMS of the speech
_PEAK = 0.9
_SHORTEST = 0.025  # seconds a phoneme of the fastest speech takes


@dataclass(frozen=True)
class Line:
    """One thing to say: its IPA, punctuation kept, and its spelling, "" for sounds that are no word."""

    text: str
    phonemes: str


class Voice(Protocol):
    """One speaker of one engine. accent: which of espeak-ng's accents its phonemes are to be in.

    needs_text: it reads spellings only, so it cannot say a line without text.
    """

    @property
    def name(self) -> str: ...
    @property
    def engine(self) -> str: ...
    @property
    def accent(self) -> str: ...
    @property
    def needs_text(self) -> bool: ...

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """Speech at 16 kHz, shape (n,), in [-1, 1]. speed: 1 is the voice's own.

        take: which way to say it (pitch, breath, melody), where the engine knows more than one.
        """
        ...


def from_int16(pcm: bytes) -> Floats:
    """Raw int16 samples as floats in [-1, 1], shape (n,)."""
    return to_float32(np.frombuffer(pcm, np.int16))


def to_16k(samples: Floats, rate: float) -> Floats:
    """Resampled to 16 kHz. A rate above the true one raises voice and pitch together: a smaller speaker."""
    import soxr

    resampled: Floats = soxr.resample(samples, rate, SAMPLE_RATE)
    return resampled


def finish(samples: Floats, phonemes: int) -> npt.NDArray[np.int16]:
    """A clip, shape (n,), int16: trimmed of silence, at one loudness.

    Raises AudioError where it is silent or too short to hold so many phonemes.
    """
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = (frames**2).mean(axis=1) if len(frames) else np.zeros(1, np.float32)
    if power.max() < 1e-7:
        raise AudioError("silent")
    loud = np.flatnonzero(power > power.max() * 10 ** (_SILENCE / 10))
    speech = samples[max(0, loud[0] - _BEFORE) * _FRAME : (loud[-1] + 1 + _AFTER) * _FRAME]
    if (loud[-1] + 1 - loud[0]) * _FRAME < phonemes * _SHORTEST * SAMPLE_RATE:
        raise AudioError(f"{len(speech) / SAMPLE_RATE:.2f} s is too short for {phonemes} phonemes")
    gain = min(_LEVEL / float(np.sqrt(power[loud].mean())), _PEAK / float(np.abs(speech).max()))
    return to_int16(speech * gain)
