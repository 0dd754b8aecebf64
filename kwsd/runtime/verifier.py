"""The network of the second stage, which scores the candidates of the first.

It is Google's speech embedding (Lin et al. 2020, arXiv 2002.01322) of the last 1.6 seconds, with small heads
that were trained for the keyword. A score costs a hundred times as much as a step of the first stage, so
only candidates are scored. The second stage keeps false alarms rare, even in kinds of speech that the model
was not trained on.
"""

import math
from dataclasses import dataclass

import numpy as np

from kwsd.pcm import FULL_SCALE, Samples
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Array

EMBEDDING = 96  # numbers in an embedding
CONTEXT = 10  # embeddings that a head sees, one every 80 ms
SCORES = 2  # per head, at the last two embeddings; the larger one counts
FRAMES, STRIDE = 76, 8  # mel frames that an embedding sees, and frames between two embeddings
N_FFT, N_MELS = 512, 32  # of the embedding's own front end, which has the same hop as kwsd's
WINDOW = 400  # samples of a frame; the rest of N_FFT is zeros
SPAN_FRAMES = FRAMES + STRIDE * (CONTEXT + SCORES - 2)
SPAN_SAMPLES = (SPAN_FRAMES - 1) * HOP + N_FFT  # 1.6 s: the audio that a score needs
HIDDEN = 64  # units of a head
MAX_HEADS = 32
LEVEL = 0.05  # of full scale: the peak that audio is scaled to, so that loudness does not matter

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
_LAST_LAYER = sum(
    len(directions) for _, directions, _ in GROUPS
)  # number of the last convolution, a linear one


def shapes(heads: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a verifier. Convolutions have the shape (taps, inputs, outputs)."""
    arrays: dict[str, tuple[int, ...]] = {"mel": (N_FFT // 2 + 1, N_MELS)}
    inputs, layer = 3, 0
    for outputs, directions, _ in GROUPS:
        for _ in directions:
            arrays[f"conv{layer}.weight"] = (3, inputs, outputs)
            arrays[f"conv{layer}.bias"] = (outputs,)
            inputs, layer = outputs, layer + 1
    return arrays | {
        f"conv{_LAST_LAYER}.weight": (3, inputs, EMBEDDING),
        "each.weight": (heads, EMBEDDING, HIDDEN),
        "each.bias": (heads, 1, HIDDEN),
        "together.weight": (heads, CONTEXT * HIDDEN, HIDDEN),
        "together.bias": (heads, 1, HIDDEN),
        "output.weight": (heads, HIDDEN, 1),
        "output.bias": (heads, 1, 1),
    }


@dataclass(frozen=True)
class Verifier:
    """The speech embedding and its heads. weights: float32 arrays, with the names and shapes of `shapes`."""

    weights: dict[str, Array]

    def log_odds(self, audio: Samples) -> float:
        """The log-odds that the keyword has just been said. audio: the last SPAN_SAMPLES samples.

        -inf if a product overflows, which does not happen with the weights of a trained model.
        """
        with np.errstate(all="ignore"):
            score = float(self.logits(self.embeddings(self.mels(levelled(audio)))).max())
        return score if math.isfinite(score) else -math.inf

    def mels(self, audio: Samples) -> Array:
        """Log-mel frames (n, N_MELS) of samples, like those that the embedding was trained on.

        They are decibels / 10 + 2, with a floor 80 dB below the loudest band.
        """
        window = np.zeros(N_FFT, np.float32)
        start = (N_FFT - WINDOW) // 2
        window[start : start + WINDOW] = np.hanning(WINDOW + 1)[:-1]
        frames = np.lib.stride_tricks.sliding_window_view(audio * FULL_SCALE, N_FFT)[::HOP]
        power = np.abs(np.fft.rfft(frames * window)).astype(np.float32) ** 2
        decibels = 10 * np.log10(np.maximum(power @ self.weights["mel"], np.float32(1e-10)))
        mels: Array = np.maximum(decibels, decibels.max() - 80) / 10 + 2
        return mels

    def embeddings(self, mels: Array) -> Array:
        """The embeddings (count, EMBEDDING) of the frames (n, N_MELS), one every STRIDE frames."""
        padded = np.pad(mels, ((0, 0), (1, 1)))
        x = np.stack([padded[:, band : band + N_MELS] for band in range(3)], axis=2)  # time, band, channel
        layer = 0
        for _, directions, pool in GROUPS:
            for direction in directions:
                weight, bias = self.weights[f"conv{layer}.weight"], self.weights[f"conv{layer}.bias"]
                x = _over_time(x, weight) if direction == "t" else _over_bands(x, weight)
                x += bias
                x = np.maximum(np.maximum(x, np.float32(0.2) * x), np.float32(-0.4))
                layer += 1
            x = _pooled(x, *pool)
        return _over_time(x, self.weights[f"conv{_LAST_LAYER}.weight"])[:, 0]

    def logits(self, embeddings: Array) -> Array:
        """The mean log-odds of the heads, shape (scores,): one for every CONTEXT consecutive embeddings."""
        w = self.weights
        each = np.maximum(embeddings @ w["each.weight"] + w["each.bias"], 0)  # head, time, unit
        seen = np.lib.stride_tricks.sliding_window_view(each, CONTEXT, axis=1)  # head, score, unit, time
        seen = seen.swapaxes(2, 3).reshape(len(each), -1, CONTEXT * HIDDEN)
        together = np.maximum(seen @ w["together.weight"] + w["together.bias"], 0)
        logits: Array = (together @ w["output.weight"] + w["output.bias"]).mean(axis=0)[:, 0]
        return logits


def levelled(audio: Samples) -> Samples:
    """The audio (..., samples), scaled so that its loudest sample is at LEVEL."""
    loudest = np.abs(audio).max(axis=-1, keepdims=True)
    level: Samples = audio * (np.float32(LEVEL) / np.maximum(loudest, np.float32(1e-6)))
    return level


def _over_time(x: Array, weight: Array) -> Array:
    """Convolution along the first axis, unpadded. x: (n, m, inputs); result: (n - 2, m, outputs)."""
    n, m, channels = x.shape
    flat, rows = np.ascontiguousarray(x).reshape(n * m, channels), (n - 2) * m
    out = flat[:rows] @ weight[0]
    out += flat[m : m + rows] @ weight[1]
    out += flat[2 * m :] @ weight[2]
    tapped: Array = out.reshape(n - 2, m, -1)
    return tapped


def _over_bands(x: Array, weight: Array) -> Array:
    """Convolution along the second axis, padded with zeros: (n, m, inputs) to (n, m, outputs)."""
    return _over_time(np.pad(x.swapaxes(0, 1), ((1, 1), (0, 0), (0, 0))), weight).swapaxes(0, 1)


def _pooled(x: Array, time: int, bands: int) -> Array:
    """Max pooling of `time` by `bands` neighbours, without overlap."""
    n, m = x.shape[0] // time, x.shape[1] // bands
    whole = x[: n * time, : m * bands].reshape(n, time, m, bands, -1)
    pooled: Array = whole.max(axis=(1, 3))
    return pooled
