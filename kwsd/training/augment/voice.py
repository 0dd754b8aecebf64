"""Voice conversion: random formants, pitch, melody and pace, changed independently."""

import importlib.util
import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE

if TYPE_CHECKING:
    from kwsd.training.augment.augmentation import Augmentation

Floats = npt.NDArray[np.float32]

MELODY_LIMIT = 1.13  # factor on the pitch's range: from 1.14 a pitch could fall below 0 Hz, and Praat hangs
_PITCH_FLOOR, _PITCH_CEILING = 75.0, 600.0  # Hz, where Praat looks for the pitch


def available() -> bool:
    """Whether Praat is installed (praat-parselmouth, which has no wheel for Linux on ARM)."""
    return importlib.util.find_spec("parselmouth") is not None


def converted(
    samples: Floats, random: np.random.Generator, augmentation: "Augmentation"
) -> tuple[Floats, float]:
    """Speech (n,) at 16 kHz in a random other voice, and the factor by which it is longer.

    Uses Praat's "Change gender" (overlap-add of pitch periods; Moulines and Charpentier 1990). Speech in
    which Praat finds no pitch, such as a whisper or a single consonant, is returned unchanged.
    """
    import parselmouth

    a = augmentation
    formants, pitch, pace = (
        float(np.exp(random.uniform(*np.log(span)))) for span in (a.formants, a.pitch, a.pace)
    )
    melody = random.uniform(*a.melody)
    sound = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", parselmouth.PraatWarning)  # such as "nothing to change"
            changed = parselmouth.praat.call(
                sound, "Change gender", _PITCH_FLOOR, _PITCH_CEILING, formants, pitch, melody, pace
            )
    except parselmouth.PraatError:
        return samples, 1.0
    return changed.values[0].astype(np.float32), pace
