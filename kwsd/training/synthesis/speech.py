"""The protocol of a synthetic voice, the lines that it says, and the trimming and normalizing of clips."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kwsd.errors import AudioError
from kwsd.pcm import SAMPLE_RATE, to_float32, to_int16

Floats = npt.NDArray[np.float32]

_FRAME_SAMPLES = SAMPLE_RATE // 100  # 10 ms
_SILENCE_DB = -42.0  # relative to the loudest frame
_FRAMES_BEFORE, _FRAMES_AFTER = 3, 6  # kept around the speech, because onsets and endings are soft
_SILENT_POWER = 1e-7  # a clip is silent if its loudest frame has less; full scale is 1
_SPEECH_RMS = 0.08  # of full scale
_MAX_PEAK = 0.9  # of full scale
_MIN_PHONEME_SECONDS = 0.025  # at the fastest speaking rate


@dataclass(frozen=True)
class Line:
    """One thing to say: its spelling, "" for an invented word, and its IPA.

    Both may have punctuation: at ", " a voice pauses, or draws out the word before it.
    """

    text: str
    phonemes: str


class Voice(Protocol):
    """One speaker of one synthesis engine.

    name: unique among all engines. accent: the one of espeak-ng's accents that its lines are written in.
    needs_text: the engine reads spellings, not IPA, so it cannot say an invented word.
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
        """Speech at 16 kHz, (n,), in [-1, 1]. speed: 1 is the voice's own.

        take: any number; the engine derives a variation of pitch, breath or melody from it, if it has any.
        """
        ...


class MissingEngineError(Exception):
    """An engine is not installed. The message says how to get it."""


def from_int16(pcm: bytes) -> Floats:
    """Raw int16 samples as floats in [-1, 1], (n,)."""
    return to_float32(np.frombuffer(pcm, np.int16))


def to_16k(samples: Floats, rate: float) -> Floats:
    """Resample to 16 kHz. A `rate` above the true one raises formants and pitch, as for a smaller speaker."""
    import soxr

    resampled: Floats = soxr.resample(samples, rate, SAMPLE_RATE)
    return resampled


def finish(samples: Floats, phonemes: int) -> npt.NDArray[np.int16]:
    """The finished clip, int16, (n,): silence trimmed from both ends, and normalized to _SPEECH_RMS.

    Raises AudioError if it is silent, or too short for this number of phonemes.
    """
    frames = samples[: len(samples) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    power = (frames**2).mean(axis=1) if len(frames) else np.zeros(1, np.float32)
    if power.max() < _SILENT_POWER:
        raise AudioError("silent")
    loud = np.flatnonzero(power > power.max() * 10 ** (_SILENCE_DB / 10))
    first, last = max(0, loud[0] - _FRAMES_BEFORE), loud[-1] + _FRAMES_AFTER
    speech = samples[first * _FRAME_SAMPLES : (last + 1) * _FRAME_SAMPLES]
    if (loud[-1] + 1 - loud[0]) * _FRAME_SAMPLES < phonemes * _MIN_PHONEME_SECONDS * SAMPLE_RATE:
        raise AudioError(f"{len(speech) / SAMPLE_RATE:.2f} s is too short for {phonemes} phonemes")
    gain = min(_SPEECH_RMS / float(np.sqrt(power[loud].mean())), _MAX_PEAK / float(np.abs(speech).max()))
    return to_int16(speech * gain)
