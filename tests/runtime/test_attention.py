import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.runtime.attention import SlidingAttention

EXPONENTS = st.floats(-700, 0)  # what the engine's bound leaves
VALUES = st.floats(-100, 100)


def exact(weights: list[float], values: list[float]) -> float:
    return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)


@given(st.integers(1, 9), st.lists(st.tuples(EXPONENTS, VALUES), min_size=20, max_size=60))
def test_is_the_weighted_mean_of_the_window(window: int, steps: list[tuple[float, float]]) -> None:
    attention = SlidingAttention(window)
    weights = [math.exp(exponent) for exponent, _ in steps]
    values = [value for _, value in steps]
    for i, (weight, value) in enumerate(zip(weights, values, strict=True)):
        start = max(0, i + 1 - window)
        expected = exact(weights[start : i + 1], values[start : i + 1])
        assert attention.push(weight, value) == pytest.approx(expected, rel=1e-12, abs=1e-10)


@pytest.mark.parametrize("window", [1, 20, 777])
def test_does_not_drift_in_a_million_steps(window: int) -> None:
    rng = np.random.default_rng(0)
    weights = np.exp(rng.normal(0, 6, 1_000_000) - 40).tolist()
    values = rng.normal(size=1_000_000).tolist()
    attention = SlidingAttention(window)
    worst = 0.0
    for i, (weight, value) in enumerate(zip(weights, values, strict=True), start=1):
        context = attention.push(weight, value)
        if i % 997 == 0 or i == 1_000_000:
            start = max(0, i - window)
            worst = max(worst, abs(context - exact(weights[start:i], values[start:i])))
    assert worst < 1e-12


def test_reset_is_exact() -> None:
    attention = SlidingAttention(3)
    steps = [(0.5, 1.0), (0.1, -2.0), (1.0, 3.0), (0.3, 4.0), (0.9, 0.1)]
    first = [attention.push(*step) for step in steps]
    attention.reset()
    assert attention.seen == 0
    assert [attention.push(*step) for step in steps] == first
