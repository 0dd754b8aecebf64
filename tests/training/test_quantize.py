import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.runtime.model import STUDENT
from kwsd.training.crnn import CRNN
from kwsd.training.dynamic import Dynamic
from kwsd.training.quantize import integers, pairs, quantized


@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([4, 8]), scale=st.floats(1e-2, 1e2))
@settings(max_examples=30)
def test_integers_are_the_nearest_and_no_worse_than_the_full_range(
    seed: int, bits: int, scale: float
) -> None:
    weight = scale * torch.randn(6, 11, generator=torch.Generator().manual_seed(seed))
    top = 2 ** (bits - 1) - 1
    whole, step = integers(weight, bits)
    assert whole.abs().max() <= top
    torch.testing.assert_close(whole, (weight / step).round().clamp(-top, top))
    plain = (weight.abs().amax(dim=1, keepdim=True) / top).half().float()  # as a file holds it
    error = (whole * step - weight).square().sum(dim=1)
    of_plain = ((weight / plain).round().clamp(-top, top) * plain - weight).square().sum(dim=1)
    assert (error <= of_plain).all()


@given(st.lists(st.integers(-8, 7), min_size=1, max_size=30))
def test_pairs_hold_every_value(values: list[int]) -> None:
    packed = pairs(np.array(values, np.int8))
    assert len(packed) == (len(values) + 1) // 2
    nibbles = [n for byte in packed.tolist() for n in (byte & 15, byte >> 4)]
    assert [n - 16 if n > 7 else n for n in nibbles][: len(values)] == values


def test_gradients_pass_through_the_rounding() -> None:
    torch.manual_seed(0)
    network = quantized(CRNN(STUDENT), 4).train()
    network(torch.randn(2, 80, 40), 5).square().sum().backward()
    plain = CRNN(STUDENT).train()
    plain.load_state_dict({name: weight.detach() for name, weight in network.weights().items()})
    frames = torch.randn(2, 80, 40, generator=torch.Generator().manual_seed(1))
    for crnn in (network, plain):
        crnn.zero_grad()
        crnn.forget()
        crnn(frames, 5).square().sum().backward()
    for rounded, exact in zip(network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(rounded.grad, exact.grad)


@pytest.mark.parametrize(("bits", "most"), [(16, 1e-3), (8, 2e-2), (4, 0.3)])
def test_fewer_bits_change_the_logits_little(bits: int, most: float) -> None:
    torch.manual_seed(0)
    crnn = CRNN(STUDENT).eval()
    frames = torch.randn(4, 120, 40)
    with torch.inference_mode():
        change = (quantized(crnn, bits)(frames, 10) - crnn(frames, 10)).abs().max()
    assert 0 < change < most


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation.*:UserWarning")
def test_torchs_dynamic_quantization_keeps_the_logits() -> None:
    torch.manual_seed(0)
    crnn = CRNN(STUDENT).eval()
    frames = torch.randn(4, 120, 40)
    with torch.inference_mode():
        change = (Dynamic(crnn)(frames, 10) - crnn(frames, 10)).abs().max()
    assert 0 < change < 0.1
