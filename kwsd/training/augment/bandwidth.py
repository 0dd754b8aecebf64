"""Low bandwidth, as through a Bluetooth headset, a telephone or a closed door."""

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation

Floats = npt.NDArray[np.float32]


def narrowed(audio: Floats, random: np.random.Generator, augmentation: Augmentation) -> Floats:
    """The audio (n,) through a random low-pass with the magnitude of a Butterworth filter."""
    cutoff = np.exp(random.uniform(*np.log(augmentation.cutoff)))
    order = np.exp(random.uniform(*np.log(augmentation.order)))
    frequency = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    gain = 1 / np.sqrt(1 + (frequency / cutoff) ** (2 * order))
    return np.fft.irfft(np.fft.rfft(audio) * gain, len(audio)).astype(np.float32)
