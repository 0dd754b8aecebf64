"""What a microphone without high frequencies leaves of a sound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.bandwidth import narrowed
from kwsd.training.augment.scenes import SceneMaker

HIGHEST = Augmentation.cutoff[1]  # Hz


def power(audio: np.ndarray, low: float, high: float) -> float:
    """The audio's power between two frequencies, Hz."""
    frequency = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    return float((np.abs(np.fft.rfft(audio))[(low <= frequency) & (frequency < high)] ** 2).sum())


@given(st.integers(0, 2**32 - 1), st.integers(1000, 60000))
def test_low_frequencies_stay_and_high_ones_go(seed: int, length: int) -> None:
    random = np.random.default_rng(seed)
    audio = random.normal(size=length).astype(np.float32)
    heard = narrowed(audio, random, Augmentation())
    assert heard.shape == audio.shape
    assert heard.dtype == np.float32
    assert power(heard, 0, 1000) == pytest.approx(power(audio, 0, 1000), rel=0.05)
    assert power(heard, HIGHEST, 8001) < 0.6 * power(audio, HIGHEST, 8001)


def test_some_scenes_are_heard_so() -> None:
    random = np.random.default_rng(0)
    hiss = [(random.normal(size=16000) * 3000).astype(np.int16) for _ in range(4)]

    def high_share(narrow: float) -> float:
        maker = SceneMaker(hiss, hiss, [], np.concatenate(hiss), [], Augmentation(narrow=narrow))
        drawn = maker.draw(32, np.random.default_rng(1)).audio
        return sum(power(scene, HIGHEST, 8001) for scene in drawn) / sum(power(s, 0, 8001) for s in drawn)

    assert high_share(1) < 0.6 * high_share(0)


def test_the_low_pass_is_butterworths() -> None:
    """The power at f is 1 / (1 + (f / cutoff)^(2 order))."""
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tones = sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (2_000, 4_000, 6_000)).astype(np.float32)
    augmentation = Augmentation(cutoff=(4_000.0, 4_000.0), order=(2.0, 2.0))
    heard = np.abs(np.fft.rfft(narrowed(tones, np.random.default_rng(0), augmentation))) ** 2
    left = heard[[2_000, 4_000, 6_000]] / (SAMPLE_RATE / 2) ** 2
    assert left.tolist() == pytest.approx([16 / 17, 1 / 2, 1 / (1 + 1.5**4)], rel=1e-3)
