"""The speech embedding of a stream: a vector every 80 ms. The network is Lin et al. 2020, arXiv 2002.01322.

The network is made of convolutions with three taps, along time or along the frequency bands, and of max
pools. So it streams: each convolution along time keeps its last two input rows, and the blocks of frames are
as long as the pools need. The result is that of the whole stream at once. Each embedding depends on the last
0.78 s only, so that the stream can begin anywhere.
"""

import math
from collections.abc import Mapping

import numpy as np

from kwsd.pcm import FULL_SCALE, Samples
from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Array

EMBEDDING = 96  # numbers in an embedding
FRAMES, STRIDE = 76, 8  # mel frames that an embedding sees, and frames between two embeddings
# Of the embedding's own front end, which has the same hop as kwsd's. The floor of a band's power is at the
# scale of int16: 40 dB below a tone with an amplitude of one step.
EMBEDDING_N_FFT, EMBEDDING_N_MELS, EMBEDDING_POWER_FLOOR = 512, 32, 1.0
WINDOW = 400  # samples of a frame; the rest of EMBEDDING_N_FFT is zeros

# Groups of convolutions with three taps: output channels, the axis of each convolution ("f": frequency,
# "t": time), and the max pooling (time, frequency) at the end. The input channels
# of the first convolution are three neighbouring bands.
GROUPS: tuple[tuple[int, str, tuple[int, int]], ...] = (
    (24, "tft", (2, 2)),
    (48, "ftft", (1, 2)),
    (72, "ftft", (2, 2)),
    (96, "ftft", (1, 2)),
    (96, "ftft", (2, 2)),
)
TAPS = 3
LAST_LAYER = sum(len(axes) for _, axes, _ in GROUPS)  # number of the last convolution, a linear one

STRIDE_SAMPLES = STRIDE * HOP  # 80 ms: samples that make one more embedding
LOOKBACK_SAMPLES = EMBEDDING_N_FFT - HOP  # that the first frame of a block shares with the block before
WARM_UP = -(-FRAMES // STRIDE) - 1  # blocks before the one whose embedding has seen FRAMES frames
MAX_BLOCKS = 4  # that are computed at once; more are hardly faster
KEPT = 32  # embeddings, enough for what keywords read at a time and how far they are apart

# The activation: leaky ReLU, clamped. The limit as often as the first layers, the largest, have outputs,
# because np.maximum takes several times as long with a number as with an array.
_SLOPE = np.float32(0.2)
_LOWEST = np.full(MAX_BLOCKS * STRIDE * EMBEDDING_N_MELS * GROUPS[0][0], -0.4, np.float32)

# Times EMBEDDING_N_FFT as in `FrontEnd`, and with the scale of int16 in it, between zeros.
_HANN_WINDOW = np.pad(
    (EMBEDDING_N_FFT * FULL_SCALE * np.hanning(WINDOW + 1)[:-1]).astype(np.float32),
    (EMBEDDING_N_FFT - WINDOW) // 2,
)


def embedding_shapes() -> dict[str, tuple[int, ...]]:
    """Name and shape of every array. Convolutions have the shape (taps, inputs, outputs)."""
    arrays: dict[str, tuple[int, ...]] = {"mel": (EMBEDDING_N_FFT // 2 + 1, EMBEDDING_N_MELS)}
    inputs, layer = 3, 0
    for outputs, axes, _ in GROUPS:
        for _ in axes:
            arrays[f"conv{layer}.weight"] = (TAPS, inputs, outputs)
            arrays[f"conv{layer}.bias"] = (outputs,)
            inputs, layer = outputs, layer + 1
    return arrays | {f"conv{LAST_LAYER}.weight": (TAPS, inputs, EMBEDDING)}


class EmbeddingStream:
    """The embeddings of a stream of audio, computed only where they are read. Keywords share it.

    Embedding n ends STRIDE_SAMPLES * (n + 1) samples after the beginning of the history. Reading consecutive
    ones takes the network one block each. Where none was read for a while, the network begins again WARM_UP
    blocks earlier, so no embedding depends on which others were read. Silence precedes the history.
    """

    def __init__(self, weights: Mapping[str, Array], history: AudioHistory) -> None:
        """weights: float32 arrays, at least those with the names and shapes of `embedding_shapes`."""
        self._weights = {name: weights[name] for name in embedding_shapes()}
        self._network = _Network(self._weights)
        self._history = history
        self.reset()

    def reset(self) -> None:
        """Forget all embeddings. To be called when the history is cleared."""
        self._kept = np.empty((0, EMBEDDING), np.float32)  # the last embeddings
        self._next = 0  # number of the one after those
        self._first_valid = math.inf  # number of the first one since the network has begun that is complete

    def equals(self, weights: Mapping[str, Array]) -> bool:
        """Whether these arrays make the same embeddings."""
        return all(
            array is weights[name] or np.array_equal(array, weights[name])
            for name, array in self._weights.items()
        )

    @property
    def available(self) -> int:
        """How many embeddings the audio that was heard so far makes."""
        return self.ended(self._history.end)

    def ended(self, position: int) -> int:
        """How many embeddings end at or before this position of the stream."""
        return (position - self._history.start) // STRIDE_SAMPLES

    def read(self, first: int, stop: int) -> Array:
        """The embeddings `first` (which may be negative) to `stop` - 1, shape (stop - first, EMBEDDING).

        At most KEPT at a time. The history must hold their audio, which begins WARM_UP + 1 blocks before the
        end of the first one.
        """
        assert stop - first <= KEPT
        if not max(self._first_valid, self._next - len(self._kept)) <= first <= self._next + WARM_UP:
            self._kept, self._next, self._first_valid = self._kept[:0], first - WARM_UP, first
        while self._next < stop:
            count = min(MAX_BLOCKS, self.available - self._next)
            start = self._history.start + self._next * STRIDE_SAMPLES
            samples = self._history.read(start - LOOKBACK_SAMPLES, start + count * STRIDE_SAMPLES)
            new = self._network.push(log_mels(samples, self._weights["mel"]))
            self._kept = np.concatenate((self._kept[-KEPT:], new))
            self._next += count
        offset = len(self._kept) - self._next
        return self._kept[first + offset : stop + offset]


def log_mels(samples: Samples, filters: Array) -> Array:
    """The log-mel frames (n, EMBEDDING_N_MELS) of samples, as the embedding takes them: decibels / 10 + 2.

    filters: (EMBEDDING_N_FFT // 2 + 1, EMBEDDING_N_MELS). The first frame begins at the first sample.
    """
    count = (len(samples) - EMBEDDING_N_FFT) // HOP + 1
    size = samples.itemsize
    frames = np.ndarray((count, EMBEDDING_N_FFT), samples.dtype, samples, strides=(HOP * size, size))
    spectrum = np.fft.rfft(frames * _HANN_WINDOW, norm="forward")
    power = (np.square(spectrum.real) + np.square(spectrum.imag)) @ filters
    mels: Array = np.log10(np.maximum(power, EMBEDDING_POWER_FLOOR))
    mels += 2
    return mels


class _Network:
    """The network on a stream of log-mel frames, in blocks of STRIDE frames."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        rows, bands = MAX_BLOCKS * STRIDE, EMBEDDING_N_MELS
        self._mels = np.zeros((rows, EMBEDDING_N_MELS + 2), np.float32)  # with a band of zeros on either side
        self._neighbours = np.lib.stride_tricks.sliding_window_view(self._mels, 3, axis=1)
        self._layers: list[_Convolution] = []
        for _, axes, pool in GROUPS:
            for axis in axes[:-1]:
                self._layers.append(_Convolution(weights, len(self._layers), axis, rows, bands))
            self._layers.append(_Convolution(weights, len(self._layers), axes[-1], rows, bands, pool))
            rows, bands = rows // pool[0], bands // pool[1]
        self._layers.append(_Convolution(weights, LAST_LAYER, "t", rows, bands))

    def push(self, mels: Array) -> Array:
        """Take the next frames (STRIDE n, EMBEDDING_N_MELS), n at most MAX_BLOCKS.

        Returns embeddings (n, EMBEDDING). Where the frames do not continue those before, the first WARM_UP
        embeddings have seen both.
        """
        self._mels[: len(mels), 1:-1] = mels
        x = self._neighbours[: len(mels)]
        for layer in self._layers:
            x = layer.push(x)
        return x[:, 0]


class _Convolution:
    """A convolution of three taps on a stream of rows, with bias, activation and max pooling.

    It is one matrix product. Along time it continues from the last two rows of the block before. Along the
    bands it is padded with zeros.
    """

    def __init__(
        self,
        weights: Mapping[str, Array],
        layer: int,
        axis: str,
        rows: int,
        bands: int,
        pool: tuple[int, int] = (1, 1),
    ) -> None:
        """rows: the most that a block has. pool: (time, bands), each 1 or 2."""
        weight = weights[f"conv{layer}.weight"]
        taps, channels, outputs = weight.shape
        self._weight = weight.reshape(taps * channels, outputs)
        bias = weights.get(f"conv{layer}.bias")
        # repeated for each band, because that is added faster
        self._bias = None if bias is None else np.tile(bias, (bands // pool[1], 1))
        pooled = rows // pool[0], bands // pool[1], outputs
        self._lowest = _LOWEST[: math.prod(pooled)].reshape(pooled)
        self._pool = pool
        before, beside = (taps - 1, 0) if axis == "t" else (0, 1)
        self._padded = np.zeros((before + rows, beside + bands + beside, channels), np.float32)
        self._inputs = self._padded[before:, beside : beside + bands]
        self._held = self._padded[:before]
        row, band, item = self._padded.strides
        self._windows = np.ndarray(  # overlapping views of the inputs of each output
            (rows, bands, taps, channels),
            np.float32,
            self._padded,
            strides=(row, band, row if axis == "t" else band, item),
        )

    def push(self, x: Array) -> Array:
        """Take the next rows (n, bands, channels). Returns as many, fewer if pooled."""
        n, bands, _ = x.shape
        self._inputs[:n] = x
        y: Array = (self._windows[:n].reshape(n * bands, -1) @ self._weight).reshape(n, bands, -1)
        self._held[:] = self._padded[n : n + len(self._held)]
        # bias and activation are monotonic, so pooling may come first, which leaves them less to do
        if self._pool[1] == 2:
            y = np.maximum(y[:, ::2], y[:, 1::2])
        if self._pool[0] == 2:
            y = np.maximum(y[::2], y[1::2])
        if self._bias is None:
            return y
        y += self._bias
        low = y * _SLOPE
        np.maximum(low, self._lowest[: len(y)], out=low)
        np.maximum(y, low, out=y)
        return y
