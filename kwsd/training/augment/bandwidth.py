"""Microphones that hear no high frequencies: headsets by radio, small speakers, telephones, doors between."""

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE

Floats = npt.NDArray[np.float32]

LOWEST, HIGHEST = 2800.0, 7000.0  # Hz, of the cutoff
_SOFTEST, _STEEPEST = 2, 40  # orders of the low-pass


def narrowed(audio: Floats, random: np.random.Generator) -> Floats:
    """The audio (n,) without what lies above a cutoff: a low-pass of Butterworth's magnitude, any order."""
    cutoff = np.exp(random.uniform(np.log(LOWEST), np.log(HIGHEST)))
    order = np.exp(random.uniform(np.log(_SOFTEST), np.log(_STEEPEST)))
    frequency = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    gain = 1 / np.sqrt(1 + (frequency / cutoff) ** (2 * order))
    return np.fft.irfft(np.fft.rfft(audio) * gain, len(audio)).astype(np.float32)
