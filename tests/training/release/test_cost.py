import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from kwsd.runtime.model import BASELINE
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.runtime.shipped_embedding import shipped_embedding
from kwsd.training.nn.convert import to_torch
from kwsd.training.nn.macs import macs_per_second_awake
from kwsd.training.nn.quantize import quantized
from kwsd.training.release.cost import Cost, cost, state_bytes, verifier_cost
from kwsd.training.release.modelfile import save_model


def test_the_memory_in_plain_numbers() -> None:
    # 240 samples, 20 frames, two layers of 64; for each of 20 steps two float64 in each of two stacks
    assert state_bytes(BASELINE, 20) == 4 * (240 + 20 * 40 + 2 * 64) + 4 * 8 * 20


def test_a_ratio_is_how_many_times_more_the_other_costs() -> None:
    small, large = Cost(1, 2, 3.0, 4.0, 5, 6, 7), Cost(10, 40, 3.0, 8.0, 5, 12, 7)
    assert list(small.over(large).values()) == [10, 20, 1, 2, 1, 2, 1]


def test_a_file_is_counted_as_it_is_stored(tmp_path: Path) -> None:
    model = read_model(find_model("teacher"))
    packed = quantized(to_torch(model), 8).packed()
    save_model(model, tmp_path / "int8.pt", packed)
    found, spent = cost(tmp_path / "int8.pt")
    matrices = [shape for shape in BASELINE.shapes().values() if len(shape) > 1]
    vectors = sum(shape[0] for shape in BASELINE.shapes().values() if len(shape) == 1)
    whole = sum(math.prod(shape) for shape in matrices)
    assert spent.weight_bytes == whole + 2 * sum(shape[0] for shape in matrices) + 2 * vectors
    assert spent.file_bytes == (tmp_path / "int8.pt").stat().st_size
    assert verifier_cost(found) is None
    mel = shipped_embedding()["mel"]  # 257 x 32
    verified = replace(model, verifier={"output.bias": np.zeros((3, 1, 1)), "mel": mel})
    assert verifier_cost(verified) == {
        "parameters": 8_227,
        "bytes": 16_454,
        "bytes_in_file": 6,
        "macs_per_second_awake": round(macs_per_second_awake(3)),
    }
