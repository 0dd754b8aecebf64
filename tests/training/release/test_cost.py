import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import BASELINE, STUDENT, Architecture
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.runtime.verifier import N_FFT, SPAN_SAMPLES, Verifier, shapes
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.quantize import quantized
from kwsd.training.release.cost import (
    Cost,
    cost,
    front_end_macs_per_frame,
    macs_per_second,
    macs_per_step,
    state_bytes,
    verification_macs,
    verifier_cost,
)
from kwsd.training.release.modelfile import save_model, to_torch

ODD = Architecture(channels=3, kernel=(7, 11), stride=(3, 6), hidden=9)
STEPS = 10


class Layers(nn.Module):
    """The network's layers called as modules, for libraries that count modules."""

    def __init__(self, crnn: CRNN) -> None:
        super().__init__()
        for name, layer in crnn.named_children():
            setattr(self, name, layer)

    def forward(self, frames: Tensor) -> Tensor:
        columns = self.conv(frames.transpose(1, 2).unsqueeze(1))
        states = self.gru(columns.flatten(1, 2).transpose(1, 2))[0]
        energy = self.energy(torch.tanh(self.attention(states)))
        return self.output(states * energy)


def frames(architecture: Architecture) -> Tensor:
    return torch.zeros(1, architecture.kernel[1] + (STEPS - 1) * architecture.stride[1], 40)


def test_baseline() -> None:
    assert macs_per_step(BASELINE) == 83_200


@pytest.mark.parametrize("architecture", [BASELINE, STUDENT, ODD])
def test_macs_equal_torchs_count(architecture: Architecture) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        Layers(CRNN(architecture))(frames(architecture))
    assert counter.get_total_flops() == 2 * STEPS * macs_per_step(architecture)


def test_macs_equal_thops_count() -> None:
    thop = pytest.importorskip("thop")
    counted, _ = thop.profile(Layers(CRNN(BASELINE)), (frames(BASELINE),), verbose=False)
    elementwise = (
        2 * 13 * BASELINE.hidden
    )  # thop adds 13 operations of gates and biases for a unit of a layer
    assert counted == STEPS * (macs_per_step(BASELINE) + elementwise)


def test_an_verifications_macs_are_those_of_its_products() -> None:
    """Counted where numpy multiplies, but for the front end's transform."""
    counted = 0

    class Counting(np.ndarray):
        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
            nonlocal counted
            plain = [np.asarray(x) if isinstance(x, np.ndarray) else x for x in inputs]
            out = tuple(np.asarray(x) for x in options.pop("out", ()) if x is not None)
            result = getattr(ufunc, method)(*plain, **options, **({"out": out} if out else {}))
            if ufunc is np.matmul:
                counted += result.size * plain[0].shape[-1]
            return result

    heads = 2
    weights = {name: np.ones(shape, np.float32).view(Counting) for name, shape in shapes(heads).items()}
    Verifier(weights).log_odds(np.zeros(SPAN_SAMPLES, np.float32))
    frames, bins = (SPAN_SAMPLES - N_FFT) // HOP + 1, N_FFT // 2 + 1
    transform = frames * (N_FFT + round(N_FFT * math.log2(N_FFT)) + 2 * bins)
    assert verification_macs(heads) == counted + transform


def test_the_front_end_and_the_memory_in_plain_numbers() -> None:
    # window, FFT (400 log2 400), power, filters (201 bins by 40 bands)
    assert front_end_macs_per_frame() == 400 + 3_458 + 402 + 8_040
    assert macs_per_second(BASELINE, 8) == 83_200 * 100 / 8
    # 240 samples, 20 frames, two layers of 64; for each of 20 steps two float64 in each of two stacks
    assert state_bytes(BASELINE, 20) == 4 * (240 + 20 * 40 + 2 * 64) + 4 * 8 * 20


def test_a_ratio_is_how_many_times_more_the_other_costs() -> None:
    small, large = Cost(1, 2, 3.0, 4.0, 5, 6, 7), Cost(10, 40, 3.0, 8.0, 5, 12, 7)
    assert list(small.over(large).values()) == [10, 20, 1, 2, 1, 2, 1]


def test_a_file_is_counted_as_it_is_stored(tmp_path: Path) -> None:
    model = read_model(find_model("student"))
    packed = quantized(to_torch(model), 8).packed()
    save_model(model, tmp_path / "int8.pt", packed)
    found, spent = cost(tmp_path / "int8.pt")
    matrices = [shape for shape in STUDENT.shapes().values() if len(shape) > 1]
    vectors = sum(shape[0] for shape in STUDENT.shapes().values() if len(shape) == 1)
    whole = sum(math.prod(shape) for shape in matrices)
    assert spent.weight_bytes == whole + 2 * sum(shape[0] for shape in matrices) + 2 * vectors
    assert spent.file_bytes == (tmp_path / "int8.pt").stat().st_size
    assert verifier_cost(found) is None
    verified = replace(model, verifier={"output.bias": np.zeros((3, 1, 1)), "mel": np.zeros(7)})
    assert verifier_cost(verified) == {
        "parameters": 10,
        "bytes": 20,
        "macs_per_verification": verification_macs(3),
    }
