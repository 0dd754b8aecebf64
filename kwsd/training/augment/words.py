"""Where the word is in a clip, and how it is put into fluent speech, without the pauses around it."""

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP

Audio = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]

SOFT_SOUNDS = int(0.06 * SAMPLE_RATE)  # samples around the loud part of a word that belong to it, too: an "h"
FADE = int(0.03 * SAMPLE_RATE)  # samples in which speech turns into a word, and a word into speech


def word_span(clip: Audio) -> tuple[float, float]:
    """Seconds to the start and to the end of the word in a clip: of its first and of its last loud frame.

    A frame is loud in the upper 60 % of the range of levels, in dB, from the 10 % quantile to the peak.
    """
    frames = clip[: len(clip) // HOP * HOP].reshape(-1, HOP).astype(np.float64)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1)
    level = np.convolve(level, np.ones(5) / 5, mode="same")
    floor, peak = np.quantile(level, 0.1), level.max()
    loud = np.flatnonzero(level >= peak - 0.6 * (peak - floor))
    return float(loud[0] * HOP / SAMPLE_RATE), float((loud[-1] + 1) * HOP / SAMPLE_RATE)


def word_end(clip: Audio) -> float:
    """Seconds to the end of the word in a clip."""
    return word_span(clip)[1]


def word_alone(clip: Floats, start: float, end: float) -> tuple[Floats, float]:
    """The word of a clip without the pauses around it, (n,), and the seconds in it to the word's end.

    start, end: seconds, of the word in the clip, as `word_span` returns them.
    """
    first = max(0, int(start * SAMPLE_RATE) - SOFT_SOUNDS)
    return clip[first : int(end * SAMPLE_RATE) + SOFT_SOUNDS], end - first / SAMPLE_RATE


def say_within(speech: Floats, at: int, word: Floats, gain: float = 0.0) -> None:
    """Replace a part of the speech, (n,), from sample `at` on, in place, by a word, faded in and out.

    The word becomes as loud as the speech, and `gain` dB louder. In silence it stays as it is.
    """
    part = speech[at : at + len(word)]
    word = word[: len(part)]
    if ratio := rms(speech) / max(1e-9, rms(word)):
        word = word * np.float32(ratio * 10 ** (gain / 20))
    from_edge = np.minimum(np.arange(1, len(word) + 1), np.arange(len(word), 0, -1))
    part += (word - part) * np.minimum(from_edge / np.float32(FADE), 1)


def rms(samples: Floats) -> float:
    """Root of the mean square."""
    return float(np.sqrt((samples**2).mean()))
