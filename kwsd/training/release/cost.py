"""What a model costs: parameters, multiply-adds, bytes. Closed forms of the architecture; no torch needed."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime import verifier
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS
from kwsd.runtime.model import Architecture, Model
from kwsd.runtime.modelfile import read_model
from kwsd.runtime.torchfile import Tensor, read_torch
from kwsd.runtime.verifier import CONTEXT, EMBEDDING, FRAMES, GROUPS, HIDDEN, SCORES, STRIDE


@dataclass(frozen=True)
class Cost:
    """A model's cost. MACs are the multiply-adds of matrices and filters; bytes are 8 bits."""

    parameters: int
    macs_per_step: int
    macs_per_second: float  # of audio, at the model's own step, without the front end
    macs_per_second_with_front_end: float
    weight_bytes: int  # as stored: packed integers and their scales
    file_bytes: int
    state_bytes: int  # what a detector keeps between two steps, at the model's own window

    def over(self, other: "Cost") -> dict[str, float]:
        """How many times more `other` costs."""
        mine = asdict(self)
        return {name: value / mine[name] for name, value in asdict(other).items()}


def macs_per_step(architecture: Architecture) -> int:
    """Multiply-adds of one step: convolution column, GRU layers, energy, output.

    Biases, activations and the attention's running mean (a few additions) are not counted.
    """
    return sum(
        math.prod(shape) * (architecture.bands if name == "conv.weight" else 1)
        for name, shape in architecture.shapes().items()
        if len(shape) > 1
    )


def macs_per_second(architecture: Architecture, step: int) -> float:
    """Multiply-adds per second of audio at a step every `step` frames, the front end apart."""
    return macs_per_step(architecture) * SAMPLE_RATE / HOP / step


def front_end_macs_per_frame() -> int:
    """Multiply-adds of one frame: window, real FFT (as N log2 N), power, mel filters (a dense product)."""
    return _macs_per_frame(N_FFT, N_MELS)


def _macs_per_frame(n_fft: int, bands: int) -> int:
    bins = n_fft // 2 + 1
    return n_fft + round(n_fft * math.log2(n_fft)) + 2 * bins + bins * bands


def state_bytes(architecture: Architecture, window: int) -> int:
    """Bytes kept between two steps: samples, frames, GRU states, the attention's sums."""
    held = (N_FFT - HOP) + architecture.kernel[1] * N_MELS + 2 * architecture.hidden
    return 4 * held + 8 * 4 * window  # float32; and for every step two float64, in the two stacks


def stored_bytes(path: Path) -> int:
    """Bytes of the weights as the file stores them, before deflation."""
    record = read_torch(path.read_bytes())
    assert isinstance(record, dict)  # read_model has checked it
    return sum(map(_bytes, record["weights"].values()))


def _bytes(entry: Any) -> int:
    if isinstance(entry, Tensor):
        return math.prod(entry.shape) * entry.dtype.itemsize
    return sum(map(_bytes, entry.values()))


def verification_macs(heads: int) -> int:
    """Multiply-adds of one verification: front end, embeddings, heads."""
    n, bands, inputs = FRAMES + STRIDE * (CONTEXT + SCORES - 2), verifier.N_MELS, 3
    macs = n * _macs_per_frame(verifier.N_FFT, bands)
    for outputs, directions, (time, frequency) in GROUPS:
        for direction in directions:
            n -= 2 * (direction == "t")
            macs += 3 * inputs * outputs * n * bands
            inputs = outputs
        n, bands = n // time, bands // frequency
    n -= 2
    macs += 3 * inputs * EMBEDDING * n * bands
    return macs + heads * (n * EMBEDDING * HIDDEN + SCORES * (CONTEXT * HIDDEN + 1) * HIDDEN)


def verifier_cost(model: Model) -> dict[str, int] | None:
    """What a model's verifier holds and takes, where it has one."""
    if not model.verifier:
        return None
    parameters = sum(weight.size for weight in model.verifier.values())
    return {
        "parameters": parameters,
        "bytes": 2 * parameters,  # float16
        "macs_per_verification": verification_macs(len(model.verifier["output.bias"])),
    }


def cost(path: Path) -> tuple[Model, Cost]:
    """A model file, and what it costs. Raises ModelError where it is none."""
    model = read_model(path)
    a = model.architecture
    frames = SAMPLE_RATE / HOP
    per_second = macs_per_second(a, model.settings.step)
    return model, Cost(
        parameters=a.parameters,
        macs_per_step=macs_per_step(a),
        macs_per_second=per_second,
        macs_per_second_with_front_end=per_second + front_end_macs_per_frame() * frames,
        weight_bytes=stored_bytes(path),
        file_bytes=path.stat().st_size,
        state_bytes=state_bytes(a, model.settings.window),
    )
