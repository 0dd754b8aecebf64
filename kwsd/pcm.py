"""The sample format of all of kwsd: 16 kHz mono, as float32 with full scale 1 or as int16."""

from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000  # Hz
FULL_SCALE = np.float32(32_768)  # int16 steps in 1.0
HIGHEST = np.float32(32_767 / 32_768)  # the largest int16, as float32; the smallest is -1
LOUDEST = 1e4  # largest magnitude that is processed; the power of much larger ones overflows float32

Samples = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]


def to_float32(samples: Int16) -> Samples:
    """int16 samples, of any shape, as float32 in [-1, 1). The division by 32,768 is exact."""
    return samples * np.float32(1 / 32_768)


def to_int16(samples: npt.NDArray[np.floating[Any]]) -> Int16:
    """Float samples, of any shape, as int16: the inverse of `to_float32`.

    They are rounded to the nearest integer (halves to even) and clipped at full scale. NaN and infinities
    become 0.
    """
    steps: Int16 = np.rint(finite(samples) * FULL_SCALE).clip(-32_768, 32_767).astype(np.int16)
    return steps


def finite(samples: npt.NDArray[np.floating[Any]]) -> Samples:
    """Samples, of any shape, with NaN and infinities replaced by 0 and magnitudes limited to `LOUDEST`.

    Otherwise a single bad sample would stay in the state of a filter forever.
    """
    flat = np.asarray(samples, np.float32).ravel()
    with np.errstate(over="ignore"):
        if flat.dot(flat) < LOUDEST**2:  # false for NaN
            return np.asarray(samples, np.float32)
    limited: Samples = np.nan_to_num(flat, nan=0, posinf=0, neginf=0).clip(-LOUDEST, LOUDEST)
    return limited.reshape(np.shape(samples))
