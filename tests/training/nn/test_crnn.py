import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.runtime.engine import Engine
from kwsd.runtime.model import BASELINE, STUDENT, Architecture, Model, Settings
from kwsd.training.nn.convert import weights_of
from kwsd.training.nn.crnn import CRNN, sliding_attention


@pytest.mark.parametrize(("architecture", "count"), [(BASELINE, 70_443), (STUDENT, 6_729)])
def test_size(architecture: Architecture, count: int) -> None:
    trained = sum(weight.numel() for weight in CRNN(architecture).parameters())
    assert trained == architecture.parameters == count


@given(steps=st.integers(1, 30), window=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30)
def test_sliding_attention_is_the_softmax_of_each_window(steps: int, window: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    energy = 5 * torch.randn(2, steps, generator=random)
    states = torch.randn(2, steps, 3, generator=random)
    context = sliding_attention(energy, states, window)
    for step in range(steps):
        first = max(0, step - window + 1)
        weights = energy[:, first : step + 1].softmax(dim=1)
        wanted = (weights[..., None] * states[:, first : step + 1]).sum(dim=1)
        torch.testing.assert_close(context[:, step], wanted)


@pytest.mark.parametrize("architecture", [BASELINE, STUDENT])
def test_posteriors_equal_the_runtime(architecture: Architecture) -> None:
    torch.manual_seed(0)
    crnn = CRNN(architecture).eval()
    weights = {name: weight.numpy() for name, weight in weights_of(crnn).items()}
    model = Model("word", architecture, weights, Settings(window=20, step=architecture.stride[1]))
    frames = np.random.default_rng(0).normal(-5, 3, (400, 40)).astype(np.float32)
    streamed = Engine(model, 20, architecture.stride[1]).advance(frames)
    with torch.inference_mode():
        whole = crnn(torch.from_numpy(frames)[None], 20).softmax(dim=2)[0, :, 1]
    np.testing.assert_allclose(streamed, whole.numpy(), atol=1e-5)


def test_a_state_goes_on_in_another_sequence_of_the_next_batch() -> None:
    torch.manual_seed(0)
    crnn = CRNN(STUDENT).train()
    crnn.carried_share = 1.0
    numbers = torch.arange(1.0, 65).expand(2, 64)  # of the sequences, in both layers
    crnn._last_states = numbers[..., None].expand(2, 64, STUDENT.hidden)
    start = crnn._start(torch.zeros(64, 1, 1))
    assert torch.equal(start[0], start[1])
    assert sorted(start[0, :, 0].tolist()) == numbers[0].tolist()
    assert (start[0, :, 0] == numbers[0]).sum() < 8  # at its own place by chance only: one, on average


def test_training_starts_from_states_of_the_batch_before() -> None:
    torch.manual_seed(0)
    crnn = CRNN(STUDENT)
    crnn.carried_share = 0.75
    frames = torch.randn(64, 100, 40)
    fresh = crnn.eval()(frames, 20)
    crnn.train()
    torch.testing.assert_close(crnn(frames, 20), fresh)  # the first batch starts from zeros
    changed = ((crnn(frames, 20) - fresh)[:, 0].abs().amax(dim=1) > 1e-6).float().mean().item()
    assert 0.5 < changed < 0.95  # most, not all
    crnn.reset_states()
    torch.testing.assert_close(crnn(frames, 20), fresh)
    crnn(frames, 20)
    torch.testing.assert_close(
        crnn.eval()(frames, 20), fresh
    )  # in evaluation every sequence starts from zeros
