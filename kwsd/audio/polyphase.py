"""Resamples to 16 kHz with numpy, for machines without soxr (32-bit ARM)."""

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from kwsd.pcm import SAMPLE_RATE, Samples

ZERO_CROSSINGS = 48  # of the sinc on each side of its center
BETA = 8.96  # of the Kaiser window: the stopband is 90 dB below the passband (Kaiser 1974)
TRANSITION = 5.7 / ZERO_CROSSINGS  # width of the transition band as a fraction of the Nyquist frequency
OUTPUT_BLOCK_SAMPLES = 4_096  # of output computed at a time, to limit memory


class Polyphase:
    """A polyphase windowed-sinc low-pass filter. Its passband is flat up to 7 kHz.

    Output sample n lies at input position n * rate / 16,000. The fractional part of that position is its
    phase, and each phase has its own row of filter coefficients.
    """

    def __init__(self, rate: int) -> None:
        """rate: Hz of the input."""
        divisor = math.gcd(rate, SAMPLE_RATE)
        self._up, self._down = SAMPLE_RATE // divisor, rate // divisor
        self._filters = _filters(self._up, min(1.0, SAMPLE_RATE / rate))
        self._half = self._filters.shape[1] // 2
        self._pending = np.zeros(self._half - 1, np.float32)  # input that later output needs
        self._start = 1 - self._half  # position of the first of them in the input
        self._consumed = 0  # input samples so far
        self._produced = 0  # output samples so far

    def resample_chunk(self, samples: Samples, last: bool = False) -> Samples:
        """Add input, shape (n,), and return the output that can be computed; with `last`, all of it."""
        self._consumed += len(samples)
        padding = [np.zeros(self._half, np.float32)] if last else []
        self._pending = np.concatenate([self._pending, samples, *padding])
        known = self._consumed if last else self._consumed - self._half  # input with enough samples after it
        end = max(self._produced, -(-known * self._up // self._down))
        blocks = [
            self._block(np.arange(first, min(first + OUTPUT_BLOCK_SAMPLES, end)))
            for first in range(self._produced, end, OUTPUT_BLOCK_SAMPLES)
        ]
        self._produced = end
        done = end * self._down // self._up - self._half + 1 - self._start
        self._pending, self._start = self._pending[max(0, done) :], self._start + max(0, done)
        return np.concatenate([np.empty(0, np.float32), *blocks])

    def _block(self, numbers: npt.NDArray[np.intp]) -> Samples:
        """The output samples with these numbers, shape (n,)."""
        center, phase = np.divmod(numbers * self._down, self._up)
        windows = sliding_window_view(self._pending, 2 * self._half)
        around = windows[center - self._half + 1 - self._start]
        block: Samples = np.einsum("nk,nk->n", around, self._filters[phase])
        return block


def _filters(up: int, nyquist: float) -> Samples:
    """Filter coefficients, shape (phases, taps).

    up: number of phases. nyquist: the lower Nyquist frequency of input and output, relative to the input's.
    """
    cutoff = nyquist * (1 - TRANSITION / 2)
    half = math.ceil(ZERO_CROSSINGS / nyquist)
    time = np.arange(1 - half, half + 1) - np.arange(up)[:, None] / up  # input samples from the center
    window = np.i0(BETA * np.sqrt(np.clip(1 - (time / half) ** 2, 0, 1))) / np.i0(BETA)
    filters = np.sinc(cutoff * time) * window
    filters /= filters.sum(axis=1, keepdims=True)  # unit gain at 0 Hz in every phase
    return filters.astype(np.float32)
