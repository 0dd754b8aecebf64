"""Writes ``.pt`` model files, without torch. kwsd.runtime.modelfile reads them."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kwsd
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.model import Array, Model, Settings
from kwsd.runtime.modelfile import FORMAT_VERSION, FRONT_END, read_model
from kwsd.runtime.shipped_embedding import SHA256, shipped_embedding
from kwsd.runtime.torchfile import read_torch
from kwsd.runtime.torchpickle import Tensor
from kwsd.training.release.torchfile import write_torch


def save_model(model: Model, path: Path, entries: dict[str, Any] | None = None) -> None:
    """Write `model` so that ``torch.load(path, weights_only=True)`` and the runtime's reader open it.

    entries: the weights as kwsd.training.nn.quantize packs them; by default they are stored as float32 or,
    where that changes nothing, as float16. Raises KwsdError if the file cannot be written.
    """
    architecture = dataclasses.asdict(model.architecture)
    record = {
        "kwsd": FORMAT_VERSION,
        "keyword": model.keyword,
        "sample_rate": SAMPLE_RATE,
        "front_end": FRONT_END,
        "architecture": {k: list(v) if isinstance(v, tuple) else v for k, v in architecture.items()},
        "settings": dataclasses.asdict(model.settings),
        "weights": entries or {name: _narrow(weight) for name, weight in model.weights.items()},
        "facts": model.facts,
    }
    if model.verifier:
        record |= _second_stage(model.verifier)
    write_torch(record, path)


def _narrow(weight: Array) -> NDArray[Any]:
    """The weight in float16 if it has been rounded to that, else as it is."""
    with np.errstate(over="ignore"):
        half = weight.astype(np.float16)
    return half if np.array_equal(half, weight) else weight


def _second_stage(verifier: dict[str, Array]) -> dict[str, Any]:
    """The verifier's arrays in float16. For those that equal the shipped embedding's there is a reference."""
    shipped = shipped_embedding()
    arrays = {name: array.astype(np.float16) for name, array in verifier.items()}
    equal = {name for name, array in shipped.items() if np.array_equal(arrays[name], array)}
    entries = {"verifier": {name: array for name, array in arrays.items() if name not in equal}}
    return entries | ({"embedding": {"sha256": SHA256, "kwsd": kwsd.__version__}} if equal else {})


def write_settings(path: Path, settings: Settings, out: Path) -> None:
    """Copy the model file `path` to `out`, in the present format, with other settings and equal weights."""
    record = _with_arrays(read_torch(path.read_bytes()))
    record |= {"kwsd": FORMAT_VERSION, "settings": dataclasses.asdict(settings)}
    if verifier := read_model(path).verifier:
        record |= _second_stage(verifier)
    write_torch(record, out)


def _with_arrays(value: Any) -> Any:
    """The same nested values with numpy arrays in place of tensors."""
    if isinstance(value, Tensor):
        return value.array()
    return {k: _with_arrays(v) for k, v in value.items()} if isinstance(value, dict) else value
