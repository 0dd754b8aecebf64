"""A waveform's outline for a picture."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.report import outline
from kwsd.training.report.outline import Outline


@pytest.fixture(autouse=True)
def few_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outline, "MAX_PIECES", 8)


def outlined(samples: np.ndarray, block: int) -> np.ndarray:
    drawn = Outline()
    for start in range(0, len(samples), block):
        drawn.push(samples[start : start + block])
    return drawn.values


def test_a_short_recording_is_all_there() -> None:
    assert outlined(np.array([1, -2, 3], np.float32), 3).tolist() == [1, 1, -2, -2, 3, 3]


def test_of_a_long_one_the_lowest_and_highest_of_equal_pieces() -> None:
    samples = np.array([1, -2, 3, 4, 0, 0, 9, -9], np.float32)
    assert outlined(samples, 8).tolist() == [-2, 1, 3, 4, 0, 0, -9, 9]


@given(st.integers(0, 300), st.integers(1, 50))
def test_any_cut_gives_the_same_of_any_length(length: int, block: int) -> None:
    samples = np.random.default_rng(0).normal(size=length).astype(np.float32)
    values = outlined(samples, block)
    assert len(values) <= 16
    np.testing.assert_array_equal(values, outlined(samples, length or 1))
    if length:
        size = len(samples) // (len(values) // 2)
        assert values[0] == samples[:size].min() if length < 8 else True
        assert set(values) <= set(samples)
