"""Writing the ``.pt`` model file, and bringing one back into torch. The reader is kwsd.runtime.modelfile."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.model import Array, Model, Settings
from kwsd.runtime.modelfile import FORMAT_VERSION, FRONT_END
from kwsd.training.nn.crnn import CRNN
from kwsd.training.release.torchfile import write_torch


def save_model(model: Model, path: Path, entries: dict[str, Any] | None = None) -> None:
    """Write `model` so that ``torch.load(path, weights_only=True)`` and the runtime's reader open it.

    entries: the weights in another form than float32, as kwsd.training.nn.quantize packs them.
    """
    architecture = dataclasses.asdict(model.architecture)
    record = {
        "kwsd": FORMAT_VERSION,
        "keyword": model.keyword,
        "sample_rate": SAMPLE_RATE,
        "front_end": FRONT_END,
        "architecture": {k: list(v) if isinstance(v, tuple) else v for k, v in architecture.items()},
        "settings": dataclasses.asdict(model.settings),
        "weights": entries or model.weights,
        "facts": model.facts,
    }
    if model.verifier:
        record["verifier"] = {name: array.astype(np.float16) for name, array in model.verifier.items()}
    write_torch(record, path)


def from_torch(
    crnn: CRNN,
    keyword: str,
    settings: Settings,
    facts: dict[str, Any] | None = None,
    verifier: dict[str, Array] | None = None,
) -> Model:
    """A network as the runtime has it: with the weights that it computes with, in float32."""
    weights = {name: value.numpy() for name, value in weights_of(crnn).items()}
    return Model(keyword, crnn.architecture, weights, settings, facts or {}, verifier=verifier)


def to_torch(model: Model) -> CRNN:
    """The model as a torch module, in evaluation mode."""
    crnn = CRNN(model.architecture)
    crnn.load_state_dict({name: torch.from_numpy(weight.copy()) for name, weight in model.weights.items()})
    return crnn.eval()


def weights_of(crnn: CRNN) -> dict[str, "torch.Tensor"]:
    """The weights that the network computes with, detached, on the CPU, float32."""
    return {name: value.detach().cpu().float() for name, value in crnn.weights().items()}
