"""The samples that all of kwsd works on: 16 kHz, mono, float32 with full scale 1; and int16 <-> float32."""

from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000  # Hz
FULL_SCALE = np.float32(32_768)  # int16 steps in 1.0
HIGHEST = np.float32(32_767 / 32_768)  # the largest int16, as float32; the smallest is -1
LOUDEST = 1e4  # largest magnitude that is processed; far above it, powers overflow float32

Samples = npt.NDArray[np.float32]
Int16 = npt.NDArray[np.int16]


def to_float32(samples: Int16) -> Samples:
    """int16 samples of any shape as float32 in [-1, 1): divided by 32,768, which is exact."""
    return samples * np.float32(1 / 32_768)


def to_int16(samples: npt.NDArray[np.floating[Any]]) -> Int16:
    """Float samples of any shape as int16: the inverse of `to_float32`.

    Rounded to the nearest step, halves to the even one. What is above full scale is clipped; NaN and
    infinities are 0.
    """
    steps: Int16 = np.rint(finite(samples) * FULL_SCALE).clip(-32_768, 32_767).astype(np.int16)
    return steps


def finite(samples: npt.NDArray[np.floating[Any]]) -> Samples:
    """Samples of any shape without what would poison a filter's state.

    NaN and infinities become 0, and magnitudes are limited to `LOUDEST`.
    """
    flat = np.asarray(samples, np.float32).ravel()
    with np.errstate(over="ignore"):
        if flat.dot(flat) < LOUDEST**2:  # false for NaN
            return np.asarray(samples, np.float32)
    limited: Samples = np.nan_to_num(flat, nan=0, posinf=0, neginf=0).clip(-LOUDEST, LOUDEST)
    return limited.reshape(np.shape(samples))
