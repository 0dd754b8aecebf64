"""The one rule between int16 and float32, in plain numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.pcm import HIGHEST, LOUDEST, finite, to_float32, to_int16

EVERY = np.arange(-32_768, 32_768).astype(np.int16)


def test_int16_as_float32() -> None:
    samples = to_float32(np.array([-32_768, -16_384, -1, 0, 1, 16_384, 32_767], np.int16))
    assert samples.dtype == np.float32
    assert samples.tolist() == [-1, -0.5, -(2**-15), 0, 2**-15, 0.5, HIGHEST]


def test_every_int16_comes_back() -> None:
    np.testing.assert_array_equal(to_int16(to_float32(EVERY)), EVERY)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_as_int16_is_rounded_and_clipped(dtype: type) -> None:
    steps = [-0.51, -0.5, -0.49, 0.49, 0.5, 0.51, 1.5, 2.5, 99.7]
    assert to_int16(np.array(steps, dtype) / 32_768).tolist() == [-1, 0, 0, 0, 0, 1, 2, 2, 100]
    loud = [-1e9, -1.1, -1, 0.99997, 1, 1.1, 1e9]
    assert to_int16(np.array(loud, dtype)).tolist() == [-32_768] * 3 + [32_767] * 4
    assert to_int16(np.array([np.nan, np.inf, -np.inf, 0.5], dtype)).tolist() == [0, 0, 0, 16_384]


@given(st.lists(st.floats(width=32), max_size=20), st.sampled_from([1, 2]))
def test_what_comes_of_any_floats_is_finite_and_in_shape(values: list[float], columns: int) -> None:
    samples = np.array(values * columns, np.float32).reshape(-1, columns)
    limited = finite(samples)
    assert limited.shape == samples.shape == to_int16(samples).shape
    assert (np.abs(limited) <= LOUDEST).all()
    unchanged = np.abs(samples) <= LOUDEST
    np.testing.assert_array_equal(limited[unchanged], samples[unchanged])
    steps = to_int16(samples)
    exact = np.clip(limited.astype(np.float64) * 32_768, -32_768, 32_767)
    assert (np.abs(steps - exact) <= 0.5).all()
