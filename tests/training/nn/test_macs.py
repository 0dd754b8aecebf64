"""MACs: equal to what torch, thop and numpy count."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.embedding import EMBEDDING, EMBEDDING_N_FFT, EmbeddingStream
from kwsd.runtime.model import BASELINE, STUDENT, Architecture
from kwsd.runtime.verifier import Heads, shapes
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.macs import (
    front_end_macs_per_frame,
    macs_per_embedding,
    macs_per_second,
    macs_per_second_awake,
    macs_per_step,
)

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
    elementwise = 2 * 13 * BASELINE.hidden  # thop adds 13 operations of gates and biases per unit and layer
    assert counted == STEPS * (macs_per_step(BASELINE) + elementwise)


def test_the_macs_of_an_embedding_are_those_of_its_products() -> None:
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
    weights = {name: np.zeros(shape, np.float32).view(Counting) for name, shape in shapes(heads).items()}
    history = AudioHistory(32_000)
    embeddings = EmbeddingStream(weights, history)
    embeddings.read(-9, 0)
    history.push(np.zeros(1_280, np.float32))
    counted = 0
    embeddings.read(-9, 1)
    Heads(weights, embeddings).log_odds(np.zeros((10, EMBEDDING), np.float32))
    transform = 8 * (
        EMBEDDING_N_FFT + round(EMBEDDING_N_FFT * math.log2(EMBEDDING_N_FFT)) + 2 * (EMBEDDING_N_FFT // 2 + 1)
    )
    assert macs_per_embedding(heads) == counted + transform
    assert macs_per_second_awake(heads) == 12.5 * macs_per_embedding(heads)


def test_the_front_end_in_plain_numbers() -> None:
    # window, FFT (400 log2 400), power, filters (201 bins by 40 bands)
    assert front_end_macs_per_frame() == 400 + 3_458 + 402 + 8_040
    assert macs_per_second(BASELINE, 8) == 83_200 * 100 / 8
