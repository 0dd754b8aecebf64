"""Writes sounds/ding.wav, the sound of `kwsd listen --ding builtin`: two short tones, a fifth apart."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 48_000  # Hz
TONES = (784.0, 1174.7)  # Hz
SECONDS = 0.09  # of each tone
PEAK = 0.2  # of full scale


def tone(frequency: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """A tone that fades in and out."""
    time = np.arange(round(SECONDS * RATE)) / RATE
    return PEAK * np.sin(2 * np.pi * frequency * time) * np.sin(np.pi * time / SECONDS) ** 0.5


if __name__ == "__main__":
    path = Path(__file__).parents[1] / "sounds" / "ding.wav"
    soundfile.write(path, np.concatenate([tone(frequency) for frequency in TONES]), RATE, "PCM_16")
