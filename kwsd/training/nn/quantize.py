"""Quantization of weights: symmetric int8 or int4 with a scale per output channel, after or during training.

Matrices (convolution, GRU, attention, output) are quantized; biases and scales are kept in float16.
Activations stay float32: weights are what a file holds, and a GRU's state is where rounding adds up.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kwsd.runtime.model import Architecture
from kwsd.training.nn.crnn import CRNN

_SHRINK = torch.linspace(0.6, 1.0, 9)  # of the full range, tried for each channel


def scales(weight: Tensor, bits: int) -> Tensor:
    """The step of each row with the least squared error, float16-exact. (rows, n) to (rows, 1)."""
    top = 2 ** (bits - 1) - 1
    full = weight.abs().amax(dim=1, keepdim=True).clamp(min=1e-4) / top
    tried = (_SHRINK[:, None, None] * full).half().float()
    error = ((weight / tried).round().clamp(-top, top) * tried - weight).square().sum(dim=2, keepdim=True)
    best: Tensor = tried.gather(0, error.argmin(dim=0, keepdim=True))[0]
    return best


def integers(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """A weight (rows, ...) as whole numbers (float32, same shape) and the step of each row, (rows, 1)."""
    top = 2 ** (bits - 1) - 1
    flat = weight.flatten(1)
    step = scales(flat, bits)
    return (flat / step).round().clamp(-top, top).reshape(weight.shape), step


class Quantized(CRNN):
    """A CRNN that computes with the weights as they will be stored: float16 vectors, integer matrices.

    Gradients pass through the rounding as if it were not there (straight-through, Bengio et al. 2013,
    arXiv 1308.3432), so training goes on with it: quantization-aware training.
    """

    def __init__(self, architecture: Architecture, bits: int) -> None:
        super().__init__(architecture)
        self.bits = bits

    def weights(self) -> dict[str, Tensor]:
        """The weights as stored and read again."""
        return {name: w + (self._rounded(w.detach()) - w.detach()) for name, w in self.named_parameters()}

    def _rounded(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1 or self.bits == 16:
            return weight.half().float()
        whole, step = integers(weight, self.bits)
        return (whole.flatten(1) * step).reshape(weight.shape)

    def packed(self) -> dict[str, Any]:
        """The weights as the model file holds them (kwsd.runtime.modelfile reads them).

        float16 arrays, and for integers a dict of "values" (int8 of the weight's shape; two int4 to a byte,
        the first in the low half) and "scales" (float16, one a row).
        """
        return {name: self._packed(weight.detach()) for name, weight in self.named_parameters()}

    def _packed(self, weight: Tensor) -> Any:
        if weight.ndim == 1 or self.bits == 16:
            return weight.half().numpy()
        whole, step = integers(weight, self.bits)
        values = whole.numpy().astype(np.int8)
        return {"values": pairs(values) if self.bits == 4 else values, "scales": step[:, 0].half().numpy()}


def pairs(values: np.ndarray[Any, np.dtype[np.int8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Whole numbers from -8 to 7, two to a byte, the first in the low half; 0 fills up the last."""
    nibbles = np.append(values.ravel(), np.zeros(values.size % 2, np.int8)).astype(np.uint8) & 15
    return (nibbles[::2] | nibbles[1::2] << 4).astype(np.uint8)


def quantized(crnn: CRNN, bits: int) -> Quantized:
    """The same weights in a network that rounds them to `bits`: 16, 8 or 4."""
    network = Quantized(crnn.architecture, bits)
    network.load_state_dict(crnn.state_dict())
    return network.eval()
