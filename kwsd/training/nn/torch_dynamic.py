"""Torch's own dynamic quantization, for comparison: int8 weights, activations quantized at every step.

Torch quantizes nn.GRU and nn.Linear as modules, so this network calls its layers instead of computing with
their weights. The convolution stays float32, because torch has no dynamic quantization of it.
"""

import copy
import warnings

import torch
from torch import Tensor, nn

from kwsd.training.nn.crnn import CRNN, sliding_attention


class TorchDynamic(CRNN):
    """A trained CRNN with its GRU and linear layers quantized by torch."""

    def __init__(self, crnn: CRNN) -> None:
        super().__init__(crnn.architecture)
        layers = nn.ModuleDict({name: copy.deepcopy(layer) for name, layer in crnn.named_children()})
        with warnings.catch_warnings():  # torch deprecates it in favour of torchao, which has no GRU
            warnings.simplefilter("ignore")
            kinds = {nn.GRU, nn.Linear}
            layers = torch.ao.quantization.quantize_dynamic(layers, kinds)  # type: ignore[no-untyped-call]
        for name, layer in layers.items():
            setattr(self, name, layer)

    def attend(self, frames: Tensor, window: int, step: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, energies and states, as CRNN.attend returns them."""
        sf, st = self.architecture.stride
        image = frames.transpose(1, 2).unsqueeze(1)
        stride = (sf, step or st)
        columns = nn.functional.conv2d(image, self.conv.weight, self.conv.bias, stride)
        states = self.gru(columns.flatten(1, 2).transpose(1, 2))[0]
        energy = self.energy(torch.tanh(self.attention(states))).squeeze(2)
        return self.output(sliding_attention(energy, states, window)), energy, states
