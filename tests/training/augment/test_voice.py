"""Other speakers: what is heard changes, what is said stays."""

import numpy as np
import pytest

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.voice import converted

parselmouth = pytest.importorskip("parselmouth")


USUAL = Augmentation()


def vowel(pitch: float, seconds: float = 0.6) -> np.ndarray:
    """A buzz through two resonances: an open vowel, (n,)."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    harmonics = np.arange(1, int(7000 / pitch)) * pitch
    gain = 1 / (1 + ((harmonics - 700) / 150) ** 2) + 0.5 / (1 + ((harmonics - 1200) / 200) ** 2)
    waves = gain[:, None] * np.sin(2 * np.pi * harmonics[:, None] * time)
    return (0.1 * waves.sum(axis=0)).astype(np.float32)


def median_pitch(samples: np.ndarray) -> float:
    pitch = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE).to_pitch()
    heard = pitch.selected_array["frequency"]
    return float(np.median(heard[heard > 0]))


def test_pitch_and_pace_go_where_they_were_drawn() -> None:
    spoken = vowel(120)
    pitches = []
    for seed in range(12):
        said, pace = converted(spoken, np.random.default_rng(seed), USUAL)
        assert USUAL.pace[0] <= pace <= USUAL.pace[1]
        assert len(said) / len(spoken) == pytest.approx(pace, rel=0.02)
        assert said.dtype == np.float32
        assert np.isfinite(said).all()
        pitches.append(median_pitch(said))
    assert max(pitches) / min(pitches) > 1.5
    assert all(USUAL.pitch[0] * 0.95 <= pitch <= USUAL.pitch[1] * 1.05 for pitch in pitches)


def test_formants_move_apart_from_the_pitch() -> None:
    def centre(samples: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2
        return float((power * np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)).sum() / power.sum())

    spoken = vowel(120)
    centres = [centre(converted(spoken, np.random.default_rng(seed), USUAL)[0]) for seed in range(12)]
    assert max(centres) / min(centres) > 0.6 * USUAL.formants[1] / USUAL.formants[0]


def test_what_praat_cannot_change_stays_as_it_is() -> None:
    tick = vowel(120)[:40]  # shorter than a period
    said, pace = converted(tick, np.random.default_rng(0), USUAL)
    np.testing.assert_array_equal(said, tick)
    assert pace == 1.0


def test_leaping_pitch_is_no_trap() -> None:
    """Octave leaps once took a widened melody below 0 Hz, where Praat ran on for minutes."""
    leaping = np.concatenate((vowel(80, 0.3), vowel(590, 0.1), vowel(590, 0.3)))
    for seed in range(20):
        converted(leaping, np.random.default_rng(seed), USUAL)
