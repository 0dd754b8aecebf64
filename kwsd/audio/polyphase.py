"""Resampling to 16 kHz in numpy, for machines that have no soxr (32-bit ARM)."""

import math

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from kwsd.pcm import SAMPLE_RATE, Samples

ZERO_CROSSINGS = 48  # of the sinc on each side of its centre
BETA = 8.96  # Kaiser window: 90 dB below the passband (Kaiser 1974)
TRANSITION = 5.7 / ZERO_CROSSINGS  # its width as a fraction of the Nyquist frequency
BLOCK = 4_096  # output samples at a time, for the sake of memory


class Polyphase:
    """A windowed-sinc low-pass filter, evaluated where an output sample is due. Flat up to 7 kHz (of 8).

    Output n is due at input sample n * rate / 16,000; its fraction of an input sample is its phase, and each
    phase has its own row of coefficients.
    """

    def __init__(self, rate: int) -> None:
        """rate: Hz of the input."""
        divisor = math.gcd(rate, SAMPLE_RATE)
        self._up, self._down = SAMPLE_RATE // divisor, rate // divisor
        self._filters = _filters(self._up, min(1.0, SAMPLE_RATE / rate))
        self._half = self._filters.shape[1] // 2
        self._pending = np.zeros(self._half - 1, np.float32)  # input that later output needs, from _start on
        self._start = 1 - self._half
        self._taken = 0  # input samples
        self._given = 0  # output samples

    def resample_chunk(self, samples: Samples, last: bool = False) -> Samples:
        """Take samples, shape (n,), and give the output that they complete; `last` gives the rest too."""
        self._taken += len(samples)
        padding = [np.zeros(self._half, np.float32)] if last else []
        self._pending = np.concatenate([self._pending, samples, *padding])
        known = self._taken if last else self._taken - self._half  # input whose surroundings are known
        end = max(self._given, -(-known * self._up // self._down))
        blocks = [
            self._block(np.arange(first, min(first + BLOCK, end))) for first in range(self._given, end, BLOCK)
        ]
        self._given = end
        done = end * self._down // self._up - self._half + 1 - self._start
        self._pending, self._start = self._pending[max(0, done) :], self._start + max(0, done)
        return np.concatenate([np.empty(0, np.float32), *blocks])

    def _block(self, numbers: npt.NDArray[np.intp]) -> Samples:
        """The output samples of these numbers."""
        centre, phase = np.divmod(numbers * self._down, self._up)
        windows = sliding_window_view(self._pending, 2 * self._half)
        around = windows[centre - self._half + 1 - self._start]
        block: Samples = np.einsum("nk,nk->n", around, self._filters[phase])
        return block


def _filters(up: int, nyquist: float) -> Samples:
    """Coefficients, shape (up phases, taps).

    nyquist: the lower Nyquist frequency of both rates, as a fraction of the input's.
    """
    cutoff = nyquist * (1 - TRANSITION / 2)
    half = math.ceil(ZERO_CROSSINGS / nyquist)
    time = np.arange(1 - half, half + 1) - np.arange(up)[:, None] / up  # input samples from the centre
    window = np.i0(BETA * np.sqrt(np.clip(1 - (time / half) ** 2, 0, 1))) / np.i0(BETA)
    filters = np.sinc(cutoff * time) * window
    filters /= filters.sum(axis=1, keepdims=True)  # unit gain at 0 Hz in every phase
    return filters.astype(np.float32)
