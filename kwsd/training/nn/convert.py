"""Converts models of the runtime to networks in torch and back."""

from typing import Any

import torch
from torch import Tensor

from kwsd.runtime.model import Array, Model, Settings
from kwsd.training.nn.crnn import CRNN


def from_torch(
    crnn: CRNN,
    keyword: str,
    settings: Settings,
    facts: dict[str, Any] | None = None,
    verifier: dict[str, Array] | None = None,
) -> Model:
    """A model with the weights that `crnn` computes with, as float32."""
    weights = {name: value.numpy() for name, value in weights_of(crnn).items()}
    return Model(keyword, crnn.architecture, weights, settings, facts or {}, verifier=verifier)


def to_torch(model: Model) -> CRNN:
    """The first stage of `model` as a torch module, in evaluation mode."""
    crnn = CRNN(model.architecture)
    crnn.load_state_dict({name: torch.from_numpy(weight.copy()) for name, weight in model.weights.items()})
    return crnn.eval()


def weights_of(crnn: CRNN) -> dict[str, Tensor]:
    """The weights that the network computes with: detached, on the CPU, float32."""
    return {name: value.detach().cpu().float() for name, value in crnn.weights().items()}
