"""A small Speech Commands tree, made here: the keyword is a rising tone, the rest noise and falling tones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

WORDS = ("rise", "fall", "hiss")
SPEAKERS = 30


def tone(word: str, random: np.random.Generator) -> np.ndarray:
    """A second with the word in its middle, float64."""
    clip = random.normal(0, 0.003, 16_000)
    time = np.arange(6_000) / 16_000
    sweep = {"rise": 2_000, "fall": -2_000}.get(word)
    if sweep is None:
        clip[5_000:11_000] += random.normal(0, 0.1, 6_000)
    else:
        start = random.uniform(1_200, 1_600) - min(0, sweep) / 2
        clip[5_000:11_000] += 0.3 * np.sin(2 * np.pi * (start * time + sweep * time**2))
    return clip


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree, split by the archive's hash: there are no lists."""
    root = tmp_path_factory.mktemp("tree")
    random = np.random.default_rng(0)
    for word in WORDS:
        (root / word).mkdir()
        for speaker in range(SPEAKERS):
            for take in range(2):
                path = root / word / f"{speaker:08x}_nohash_{take}.wav"
                soundfile.write(path, tone(word, random), 16_000, subtype="PCM_16")
    (root / "_background_noise_").mkdir()
    noise = random.normal(0, 0.05, 48_000)
    soundfile.write(root / "_background_noise_" / "white.wav", noise, 16_000, subtype="PCM_16")
    return root
