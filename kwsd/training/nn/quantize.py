"""Quantization of weights after or during training: symmetric int8 or int4 with a scale per row, or float16.

Matrices (convolution, GRU, attention, output) are quantized per output channel; biases and scales are kept in
float16. Activations stay float32: weights are most of a file, and a GRU's state accumulates rounding errors.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from kwsd.runtime.model import Architecture
from kwsd.training.nn.crnn import CRNN

# Clipping ranges tried for each row, as shares of its largest absolute weight
_CLIPPING = torch.linspace(0.6, 1.0, 9)
_LEAST_RANGE = 1e-4  # largest absolute weight assumed for a row of zeros, so that no scale is 0


def row_scales(weight: Tensor, bits: int) -> Tensor:
    """The scale of each row with the least squared error, exact in float16: (rows, n) to (rows, 1)."""
    top = 2 ** (bits - 1) - 1
    full = weight.abs().amax(dim=1, keepdim=True).clamp(min=_LEAST_RANGE) / top
    tried = (_CLIPPING.to(full.device)[:, None, None] * full).half().float()
    error = ((weight / tried).round().clamp(-top, top) * tried - weight).square().sum(dim=2, keepdim=True)
    best: Tensor = tried.gather(0, error.argmin(dim=0, keepdim=True))[0]
    return best


def quantize_rows(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """A weight (rows, ...) as integers, float32 of the same shape, and the scale of each row, (rows, 1)."""
    top = 2 ** (bits - 1) - 1
    flat = weight.flatten(1)
    scale = row_scales(flat, bits)
    return (flat / scale).round().clamp(-top, top).reshape(weight.shape), scale


class Quantized(CRNN):
    """A CRNN that computes with the weights as they will be stored: float16 vectors, integer matrices.

    Gradients pass through the rounding unchanged (straight-through estimator, Bengio et al. 2013,
    arXiv 1308.3432), so that the network can be trained: quantization-aware training.
    """

    def __init__(self, architecture: Architecture, bits: int) -> None:
        super().__init__(architecture)
        self.bits = bits

    def weights(self) -> dict[str, Tensor]:
        """The weights after rounding, with the gradients of the weights before."""
        return {name: w + (self._rounded(w.detach()) - w.detach()) for name, w in self.named_parameters()}

    def _rounded(self, weight: Tensor) -> Tensor:
        if self._is_float16(weight):
            return weight.half().float()
        integers, scale = quantize_rows(weight, self.bits)
        return (integers.flatten(1) * scale).reshape(weight.shape)

    def _is_float16(self, weight: Tensor) -> bool:
        return weight.ndim == 1 or self.bits == 16

    def packed(self) -> dict[str, Any]:
        """The weights as the model file stores them and kwsd.runtime.modelfile reads them.

        Each is a float16 array or a dict: "values", int8 of the weight's shape or int4 two to a byte, and
        "scales", float16, one per row.
        """
        return {name: self._packed(weight.detach()) for name, weight in self.named_parameters()}

    def _packed(self, weight: Tensor) -> Any:
        if self._is_float16(weight):
            return weight.half().numpy()
        integers, scale = quantize_rows(weight, self.bits)
        values = integers.numpy().astype(np.int8)
        return {
            "values": pack_int4(values) if self.bits == 4 else values,
            "scales": scale[:, 0].half().numpy(),
        }


def pack_int4(values: np.ndarray[Any, np.dtype[np.int8]]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pack integers from -8 to 7 in pairs, the first in the low half of a byte; an odd last one with 0."""
    nibbles = np.append(values.ravel(), np.zeros(values.size % 2, np.int8)).astype(np.uint8) & 15
    return (nibbles[::2] | nibbles[1::2] << 4).astype(np.uint8)


def quantized(crnn: CRNN, bits: int) -> Quantized:
    """A network with the same weights that rounds them to `bits`: 16, 8 or 4."""
    network = Quantized(crnn.architecture, bits)
    network.load_state_dict(crnn.state_dict())
    return network.eval()
