"""The streaming engine: frames in, one posterior every `step` frames.

Each step computes one column of the convolution, one step of each GRU layer, and one energy for the
attention. Its cost does not depend on the window. Most of it is numpy's overhead per call. To need few calls
per step, the weights are rearranged, once for all engines of a model:

- All inputs are in one vector, ``[column, 1, h0, 1, h1]``. Each layer reads a slice of it, and the biases are
  the weights of the ones.
- sigmoid(a) = (1 + tanh(a / 2)) / 2, with the halves folded into the weights.
- The output layer is linear, so it can be applied before the attention's weighted mean. The attention then
  averages one number, half the difference of the two logits, instead of a vector.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from kwsd.runtime.attention import SlidingAttention
from kwsd.runtime.frontend import N_MELS, Frames
from kwsd.runtime.model import Array, Model

HALF = np.array(0.5, np.float32)  # as an array, which numpy multiplies by faster than by a number
MIN_EXPONENT = -700.0  # its exp is still a normal float64, so the weights of a window never sum to 0


class GRULayer:
    """One GRU layer. `inputs` is a vector [x, 1, h], in which the layer updates its own state h in place."""

    def __init__(self, block: Array, inputs: Array, hidden: Array) -> None:
        """block: the weights that `_gru_block` makes, shape (4 hidden, inputs). hidden: h in `inputs`."""
        self._block = block
        self._inputs = inputs
        self._hidden = hidden
        self._gates = np.empty(len(block), np.float32)
        self._reset, self._update, self._gated, self._new = self._gates.reshape(4, len(hidden))
        self._switches = self._gates[: 2 * len(hidden)]  # reset and update, each 2 sigmoid - 1

    def step(self) -> None:
        """Update the hidden state from the inputs."""
        hidden, new, gated = self._hidden, self._new, self._gated
        self._block.dot(self._inputs, out=self._gates)
        np.tanh(self._switches, out=self._switches)
        gated *= self._reset
        new += gated
        np.tanh(new, out=new)
        # h' = (1 - z) n + z h, with z = (1 + update) / 2
        np.subtract(hidden, new, out=gated)
        gated *= self._update
        hidden += new
        hidden += gated
        hidden *= HALF


@dataclass(frozen=True)
class ArrangedWeights:
    """The weights of a model as its engines read them."""

    kernels: Array
    """Of the convolution, shape (channels, kf * kt)."""

    blocks: tuple[Array, Array]
    """Of each GRU layer, as `_gru_block` makes them."""

    read_out: Array
    """From the second layer to the attention's keys and, in the last row, the margin of the two logits."""

    energy: Array
    """From the keys to the energy, without its bias c, which cancels in the softmax."""

    bound: float
    """The largest energy: tanh bounds it by ||v||_1. Subtracting it keeps exponents at or below 0."""

    @classmethod
    def of(cls, model: Model) -> "ArrangedWeights":
        """Those of this model. They are computed once, however many engines the model has."""
        arranged = _ARRANGED.get(model)
        if arranged is None:
            arranged = _ARRANGED[model] = cls._arrange(model)
        return arranged

    @classmethod
    def _arrange(cls, model: Model) -> "ArrangedWeights":
        arch = model.architecture
        weights = {name: array.astype(np.float64) for name, array in model.weights.items()}
        # no activation follows the convolution, so its bias can be added to that of the first layer
        conv_bias = weights["gru.weight_ih_l0"] @ np.repeat(weights["conv.bias"], arch.bands)
        margin = np.diff(weights["output.weight"], axis=0) / 2
        margin_bias = np.diff(weights["output.bias"]) / 2
        keys = np.vstack((weights["attention.weight"], margin))
        biases = np.concatenate((weights["attention.bias"], margin_bias))
        return cls(
            kernels=_float32(weights["conv.weight"].reshape(arch.channels, -1)),
            blocks=(
                _gru_block(weights, "l0", conv_bias),
                _gru_block(weights, "l1", np.zeros(3 * arch.hidden)),
            ),
            read_out=np.asfortranarray(_float32(np.column_stack((biases, keys)))),
            energy=_float32(weights["energy.weight"][0]),
            bound=float(np.abs(weights["energy.weight"]).sum()),
        )


_ARRANGED: WeakKeyDictionary[Model, ArrangedWeights] = WeakKeyDictionary()


class Engine:
    """Runs the first stage of a model over a stream of frames.

    The first step is complete after kt frames, the length of the convolution kernel in time, and each further
    step after `step` more frames. The attention sees the last `window` steps, or all while there are fewer.
    """

    def __init__(self, model: Model, window: int, step: int) -> None:
        arch = model.architecture
        kf, kt = arch.kernel
        self._model = model
        self.window = window
        self.step = step
        self._receptive = kt
        self._frames = np.empty((N_MELS, 0), np.float32)  # by band, so that a kernel's inputs lie together
        self._stride = arch.stride[0]
        self._patches = np.empty((arch.bands, kf, kt), np.float32)  # what the kernels see, at each band
        self._patch_columns = self._patches.reshape(arch.bands, kf * kt).T
        weights = ArrangedWeights.of(model)
        self._kernels = weights.kernels

        f, h = arch.features, arch.hidden
        self._state = np.empty(f + 1 + h + 1 + h, np.float32)  # [column, 1, h0, 1, h1]
        self._column = self._state[:f].reshape(arch.channels, arch.bands)
        self._ones = self._state[f :: h + 1]
        first, second = self._state[f + 1 :][:h], self._state[-h:]
        self._layers = (
            GRULayer(weights.blocks[0], self._state[: f + 1 + h], first),
            GRULayer(weights.blocks[1], self._state[f + 1 :], second),
        )

        self._read_out = weights.read_out
        self._read_in = self._state[-h - 1 :]
        self._read = np.empty(h + 1, np.float32)
        self._keys = self._read[:h]
        self._energy, self._bound = weights.energy, weights.bound
        self._attention = SlidingAttention(window)
        self._next = self._heard = (
            0  # in `_frames`: the first frame of the next step, and how many were heard
        )
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a new engine, because copied arrays would no longer be views of each other."""
        return type(self), (self._model, self.window, self.step)

    def reset(self) -> None:
        """Return to the exact initial state. While `steps` is read, the frames after the last step stay."""
        self._next = self._heard
        self._state[:] = 0
        self._ones[:] = 1
        self._attention.reset()

    @property
    def warm(self) -> bool:
        """Whether the attention has seen `window` steps."""
        return self._attention.seen >= self.window

    @property
    def due(self) -> int:
        """Number of frames until the next step, at least 1."""
        return self._next + self._receptive - self._heard

    def advance(self, frames: Frames) -> npt.NDArray[np.float64]:
        """Take the next frames, shape (n, N_MELS). Returns the posterior of every step that they complete."""
        return np.array([posterior for _, posterior in self.steps(frames)])

    def steps(self, frames: Frames) -> Iterator[tuple[int, float]]:
        """Take the next frames. Yields each step that they complete: how many it needs, and its posterior.

        Steps are computed while the iterator is read: read it to its end before the next call.
        """
        held, kt = self._frames.shape[1], self._receptive
        self._frames = np.concatenate((self._frames, frames.T), axis=1, dtype=np.float32)
        total, windows = self._frames.shape[1], self._windows()
        while self._next + kt <= total:
            self._heard = self._next + kt
            posterior = self._step(windows[self._next])
            self._next += self.step
            yield self._heard - held, posterior
        past = min(self._next, total)
        self._frames = self._frames[:, past:]
        self._next, self._heard = self._next - past, total - past

    def _windows(self) -> Array:
        """What the kernels see from each frame on, (frames - kt + 1, bands, kf, kt), as overlapping views."""
        band, frame = self._frames.strides
        bands, kf, kt = self._patches.shape
        count = max(0, self._frames.shape[1] - kt + 1)
        strides = (frame, self._stride * band, band, frame)
        return np.ndarray((count, bands, kf, kt), np.float32, self._frames, strides=strides)

    def _step(self, window: Array) -> float:
        """Run one step on one of the `_windows`. Returns its posterior."""
        self._patches[:] = window
        self._kernels.dot(self._patch_columns, out=self._column)
        for layer in self._layers:
            layer.step()
        self._read_out.dot(self._read_in, out=self._read)
        margin = self._read.item(-1)
        np.tanh(self._keys, out=self._keys)
        exponent = float(self._energy.dot(self._keys)) - self._bound
        context = self._attention.push(math.exp(max(exponent, MIN_EXPONENT)), margin)
        return 0.5 + 0.5 * math.tanh(context)


def _float32(array: npt.NDArray[np.float64]) -> Array:
    return np.ascontiguousarray(array, np.float32)


def _gru_block(
    weights: dict[str, npt.NDArray[np.float64]], layer: str, bias: npt.NDArray[np.float64]
) -> Array:
    """The weights of a GRULayer over [x, 1, h], shape (4 hidden, inputs).

    bias: added to the bias of the inputs, shape (3 hidden,).
    """
    inputs, hidden = weights[f"gru.weight_ih_{layer}"], weights[f"gru.weight_hh_{layer}"]
    of_input = np.column_stack((inputs, weights[f"gru.bias_ih_{layer}"] + bias, np.zeros_like(hidden)))
    of_hidden = np.column_stack((np.zeros_like(inputs), weights[f"gru.bias_hh_{layer}"], hidden))
    reset, update, _ = np.split(of_input + of_hidden, 3)
    new_of_input, new_of_hidden = np.split(of_input, 3)[2], np.split(of_hidden, 3)[2]
    # n = tanh(in + r hn) with r = (1 + t) / 2 is tanh((in + hn / 2) + t hn / 2)
    block = np.vstack((reset / 2, update / 2, new_of_hidden / 2, new_of_input + new_of_hidden / 2))
    return np.asfortranarray(_float32(block))
