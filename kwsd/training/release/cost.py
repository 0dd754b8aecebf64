"""The cost of storing and running a model: parameters, multiply-adds, bytes. Needs no torch."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS
from kwsd.runtime.model import Architecture, Model
from kwsd.runtime.modelfile import read_model
from kwsd.runtime.shipped_embedding import shipped_embedding
from kwsd.runtime.torchfile import read_torch
from kwsd.runtime.torchpickle import Tensor
from kwsd.training.nn.macs import (
    front_end_macs_per_frame,
    macs_per_second,
    macs_per_second_awake,
    macs_per_step,
)


@dataclass(frozen=True)
class Cost:
    """The cost of a model's first stage. MACs are multiply-adds, bytes have 8 bits."""

    parameters: int
    macs_per_step: int
    macs_per_second: float  # per second of audio, at the model's own step, without the front end
    macs_per_second_with_front_end: float
    weight_bytes: int  # as stored: packed integers and their scales
    file_bytes: int
    state_bytes: int  # memory that the runtime keeps between two steps, at the model's own window

    def over(self, other: "Cost") -> dict[str, float]:
        """Ratio of the cost of `other` to this one, by field."""
        mine = asdict(self)
        return {name: value / mine[name] for name, value in asdict(other).items()}


def cost(path: Path) -> tuple[Model, Cost]:
    """A model file and its cost. Raises ModelError if it is not a model file."""
    model = read_model(path)
    architecture, settings = model.architecture, model.settings
    per_second = macs_per_second(architecture, settings.step)
    frames_per_second = SAMPLE_RATE / HOP
    return model, Cost(
        parameters=architecture.parameters,
        macs_per_step=macs_per_step(architecture),
        macs_per_second=per_second,
        macs_per_second_with_front_end=per_second + front_end_macs_per_frame() * frames_per_second,
        weight_bytes=stored_bytes(path),
        file_bytes=path.stat().st_size,
        state_bytes=state_bytes(architecture, settings.window),
    )


def summary(path: Path, reference: Path | None = None) -> dict[str, Any]:
    """Keyword, architecture, settings and cost of a model file, as ``kwsd info --json`` prints them.

    reference: another model file; "ratios" then has the ratio of its cost to this one's.
    Raises ModelError if either is not a model file.
    """
    model, own = cost(path)
    facts = {
        "keyword": model.keyword,
        "architecture": asdict(model.architecture),
        "settings": asdict(model.settings),
        "cost": asdict(own),
        "verifier": verifier_cost(model),
    }
    return facts | ({"ratios": own.over(cost(reference)[1])} if reference else {})


def verifier_cost(model: Model) -> dict[str, int] | None:
    """The size of a model's second stage, and its MACs per second while awake; None if it has none."""
    if not model.verifier:
        return None
    shipped = shipped_embedding()
    sizes = {name: 2 * weight.size for name, weight in model.verifier.items()}  # bytes, in float16
    own = sum(size for name, size in sizes.items() if model.verifier[name] is not shipped.get(name))
    return {
        "parameters": sum(sizes.values()) // 2,
        "bytes": sum(sizes.values()),
        "bytes_in_file": own,  # the others are those of the speech embedding in the package
        "macs_per_second_awake": round(macs_per_second_awake(len(model.verifier["output.bias"]))),
    }


def state_bytes(architecture: Architecture, window: int) -> int:
    """Bytes that the runtime keeps between two steps: samples, frames, GRU states, attention sums."""
    floats = (N_FFT - HOP) + architecture.kernel[1] * N_MELS + 2 * architecture.hidden  # float32
    sums = 2 * 2 * window  # float64: two in each of the attention's two stacks, for every step of the window
    return 4 * floats + 8 * sums


def stored_bytes(path: Path) -> int:
    """Bytes of the weights as the file stores them, before its compression."""
    record = read_torch(path.read_bytes())
    assert isinstance(record, dict)  # read_model has checked it
    return sum(map(_bytes, record["weights"].values()))


def _bytes(entry: Any) -> int:
    if isinstance(entry, Tensor):
        return math.prod(entry.shape) * entry.dtype.itemsize
    return sum(map(_bytes, entry.values()))
