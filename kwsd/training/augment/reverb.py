"""Rooms: impulse responses, and what they do to sound."""

import numpy as np
import numpy.typing as npt
from scipy.signal import fftconvolve

from kwsd.pcm import SAMPLE_RATE

Floats = npt.NDArray[np.float32]


def random_room(random: np.random.Generator) -> Floats:
    """An impulse response: direct sound, then noise that falls by 60 dB in 0.15 to 0.7 s (Polack 1988)."""
    decay = random.uniform(0.15, 0.7)  # seconds
    time = np.arange(int(decay * SAMPLE_RATE)) / SAMPLE_RATE
    response = random.normal(size=len(time)) * 10 ** (-3 * time / decay)
    response /= np.sqrt((response**2).sum()) * 10 ** (random.uniform(0, 12) / 20)  # dB, direct over the rest
    response[: int(0.002 * SAMPLE_RATE)] = 0
    response[0] = 1
    return response.astype(np.float32)


def reverberated(audio: Floats, response: Floats, before: Floats | None = None) -> Floats:
    """The audio as the room gives it back, as loud and as long as it was, (n,).

    before: what was heard before it, (m,).
    """
    earlier = audio[:0] if before is None else before[max(0, len(before) - len(response) + 1) :]
    heard = np.concatenate((earlier, audio))
    wet: Floats = fftconvolve(heard, response)[len(earlier) : len(heard)].astype(np.float32)
    power = float((wet**2).mean())
    return wet * np.float32(np.sqrt(float((audio**2).mean()) / power)) if power else wet
