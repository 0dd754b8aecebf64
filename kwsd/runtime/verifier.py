"""The second stage: a larger network that is asked only when the first has a candidate, before kwsd acts.

Google's speech embedding (Lin et al. 2020, arXiv 2002.01322) of the last second and a half, and on it heads
that know the keyword. It costs a hundred times what a step of the first stage does, so it hears only what
that takes for the word. In speech that no model was trained on, it is what keeps kwsd quiet.
"""

import math
from dataclasses import dataclass

import numpy as np

from kwsd.pcm import FULL_SCALE, Samples
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Array

EMBEDDING = 96  # numbers
CONTEXT = 10  # embeddings that a head answers from, one each 80 ms
SCORES = 2  # of the heads, at the last two embeddings: one verification goes on where the one before ended
FRAMES, STRIDE = 76, 8  # mel frames that an embedding sees, and from one to the next
N_FFT, N_MELS = 512, 32
WINDOW = 400  # samples
SPAN_SAMPLES = (
    FRAMES + STRIDE * (CONTEXT + SCORES - 2) - 1
) * HOP + N_FFT  # samples that a verification hears
HIDDEN = 64  # units of a head
MAX_HEADS = 32
LEVEL = 0.05  # of the loudest sample, full scale 1: however loud a word is said, it is heard like this

# Convolutions of three taps: their output channels, along frequency ("f") or time ("t"). After each group the
# largest of so many neighbours in time and frequency is kept. The first sees three bands and three frames.
GROUPS: tuple[tuple[int, str, tuple[int, int]], ...] = (
    (24, "tft", (2, 2)),
    (48, "ftft", (1, 2)),
    (72, "ftft", (2, 2)),
    (96, "ftft", (1, 2)),
    (96, "ftft", (2, 2)),
)
_LAST = sum(len(directions) for _, directions, _ in GROUPS)  # along time, linear: the embedding


def shapes(heads: int) -> dict[str, tuple[int, ...]]:
    """The arrays of a verifier, by name. Convolutions: (taps, in, out)."""
    arrays: dict[str, tuple[int, ...]] = {"mel": (N_FFT // 2 + 1, N_MELS)}
    inputs, layer = 3, 0
    for outputs, directions, _ in GROUPS:
        for _ in directions:
            arrays[f"conv{layer}.weight"] = (3, inputs, outputs)
            arrays[f"conv{layer}.bias"] = (outputs,)
            inputs, layer = outputs, layer + 1
    return arrays | {
        f"conv{_LAST}.weight": (3, inputs, EMBEDDING),
        "each.weight": (heads, EMBEDDING, HIDDEN),
        "each.bias": (heads, 1, HIDDEN),
        "together.weight": (heads, CONTEXT * HIDDEN, HIDDEN),
        "together.bias": (heads, 1, HIDDEN),
        "output.weight": (heads, HIDDEN, 1),
        "output.bias": (heads, 1, 1),
    }


@dataclass(frozen=True)
class Verifier:
    """weights: float32 arrays as `shapes` names them."""

    weights: dict[str, Array]

    def log_odds(self, audio: Samples) -> float:
        """How sure it is that the keyword has just been said, of the last SPAN_SAMPLES samples.

        -inf where the weights are such that a product overflows: no trained ones are.
        """
        with np.errstate(all="ignore"):
            odds = float(self.odds(self.embeddings(self.mels(levelled(audio)))).max())
        return odds if math.isfinite(odds) else -math.inf

    def mels(self, audio: Samples) -> Array:
        """Log-mel frames (n, N_MELS) of samples, as the embedding was trained on: decibels, a floor of 80."""
        window = np.zeros(N_FFT, np.float32)
        start = (N_FFT - WINDOW) // 2
        window[start : start + WINDOW] = np.hanning(WINDOW + 1)[:-1]
        frames = np.lib.stride_tricks.sliding_window_view(audio * FULL_SCALE, N_FFT)[::HOP]
        power = np.abs(np.fft.rfft(frames * window)).astype(np.float32) ** 2
        decibels = 10 * np.log10(np.maximum(power @ self.weights["mel"], np.float32(1e-10)))
        mels: Array = np.maximum(decibels, decibels.max() - 80) / 10 + 2
        return mels

    def embeddings(self, mels: Array) -> Array:
        """Of frames (n, N_MELS), the embeddings (count, EMBEDDING) that they suffice for."""
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
        return _over_time(x, self.weights[f"conv{_LAST}.weight"])[:, 0]

    def odds(self, embeddings: Array) -> Array:
        """The heads' mean log-odds (scores,) at each embedding that has CONTEXT - 1 before it."""
        w = self.weights
        each = np.maximum(embeddings @ w["each.weight"] + w["each.bias"], 0)  # head, time, unit
        seen = np.lib.stride_tricks.sliding_window_view(each, CONTEXT, axis=1)  # head, score, unit, time
        seen = seen.swapaxes(2, 3).reshape(len(each), -1, CONTEXT * HIDDEN)
        together = np.maximum(seen @ w["together.weight"] + w["together.bias"], 0)
        odds: Array = (together @ w["output.weight"] + w["output.bias"]).mean(axis=0)[:, 0]
        return odds


def levelled(audio: Samples) -> Samples:
    """The audio (..., samples) with its loudest sample at LEVEL."""
    loudest = np.abs(audio).max(axis=-1, keepdims=True)
    level: Samples = audio * (np.float32(LEVEL) / np.maximum(loudest, np.float32(1e-6)))
    return level


def _over_time(x: Array, weight: Array) -> Array:
    """Three taps along the first axis, nothing beyond its ends. x: (n, m, in), result (n - 2, m, out)."""
    n, m, channels = x.shape
    flat, rows = np.ascontiguousarray(x).reshape(n * m, channels), (n - 2) * m
    out = flat[:rows] @ weight[0]
    out += flat[m : m + rows] @ weight[1]
    out += flat[2 * m :] @ weight[2]
    tapped: Array = out.reshape(n - 2, m, -1)
    return tapped


def _over_bands(x: Array, weight: Array) -> Array:
    """Three taps along the second axis, silence beyond its ends."""
    return _over_time(np.pad(x.swapaxes(0, 1), ((1, 1), (0, 0), (0, 0))), weight).swapaxes(0, 1)


def _pooled(x: Array, time: int, bands: int) -> Array:
    """The largest of each `time` by `bands` neighbours."""
    n, m = x.shape[0] // time, x.shape[1] // bands
    whole = x[: n * time, : m * bands].reshape(n, time, m, bands, -1)
    pooled: Array = whole.max(axis=(1, 3))
    return pooled
