"""Reverb: random impulse responses of rooms, and convolution with them."""

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation

Floats = npt.NDArray[np.float32]


def random_room(random: np.random.Generator, augmentation: Augmentation) -> Floats:
    """An impulse response, (n,): direct sound, then noise that decays exponentially (Polack 1988)."""
    decay = random.uniform(*augmentation.decay)  # seconds to -60 dB
    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    response = random.normal(size=len(time)) * 10 ** (-3 * time / decay)
    response /= np.sqrt((response**2).sum()) * 10 ** (random.uniform(*augmentation.direct) / 20)
    response[: int(0.002 * SAMPLE_RATE)] = 0
    response[0] = 1
    return response.astype(np.float32)


def reverberated(audio: Floats, response: Floats, before: Floats | None = None) -> Floats:
    """The audio with the reverb of a room, at its own level and length, (n,).

    before: the preceding audio, (m,), whose reverb continues into it.
    """
    earlier = audio[:0] if before is None else before[max(0, len(before) - len(response) + 1) :]
    dry = np.concatenate((earlier, audio))
    wet = convolved(dry, response)[len(earlier) : len(dry)]
    power = float((wet**2).mean())
    return wet * np.float32(np.sqrt(float((audio**2).mean()) / power)) if power else wet


def convolved(audio: Floats, response: Floats) -> Floats:
    """The full convolution of (n,) with (m,), shape (n + m - 1,), by FFT."""
    length = len(audio) + len(response) - 1
    size = 1 << (length - 1).bit_length()  # a power of two is fastest
    spectrum = np.fft.rfft(audio, size) * np.fft.rfft(response, size)
    return np.fft.irfft(spectrum, size)[:length].astype(np.float32)
