import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.runtime.model import STUDENT
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.quantize import pack_int4, quantize_rows, quantized, row_scales
from kwsd.training.nn.torch_dynamic import TorchDynamic


@given(seed=st.integers(0, 2**32 - 1), bits=st.sampled_from([4, 8]), scale=st.floats(1e-2, 1e2))
@settings(max_examples=30)
def test_integers_are_the_nearest_and_no_worse_than_without_clipping(
    seed: int, bits: int, scale: float
) -> None:
    weight = scale * torch.randn(6, 11, generator=torch.Generator().manual_seed(seed))
    top = 2 ** (bits - 1) - 1
    integers, scales = quantize_rows(weight, bits)
    assert integers.abs().max() <= top
    torch.testing.assert_close(integers, (weight / scales).round().clamp(-top, top))
    plain = (weight.abs().amax(dim=1, keepdim=True) / top).half().float()  # as a file holds it
    error = (integers * scales - weight).square().sum(dim=1)
    of_plain = ((weight / plain).round().clamp(-top, top) * plain - weight).square().sum(dim=1)
    assert (error <= of_plain).all()


@given(st.lists(st.integers(-8, 7), min_size=1, max_size=30))
def test_pairs_hold_every_value(values: list[int]) -> None:
    packed = pack_int4(np.array(values, np.int8))
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
        crnn.reset_states()
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
        change = (TorchDynamic(crnn)(frames, 10) - crnn(frames, 10)).abs().max()
    assert 0 < change < 0.1


def test_a_row_with_an_outlier_is_clipped_if_that_costs_less() -> None:
    """Of 100 values of 0.5 and a 7, a scale of 1 rounds the hundred to 0, one of 0.65 clips the 7 to 4.55."""
    weight = torch.tensor([[7.0] + [0.5] * 100, [7.0] * 101])
    integers, scales = quantize_rows(weight, 4)
    assert scales[:, 0].tolist() == pytest.approx([0.65, 1.0], abs=1e-3)
    assert integers[0, :2].tolist() == [7, 1]
    assert integers[1].tolist() == [7] * 101


def test_scales_are_exact_in_float16() -> None:
    scales = row_scales(torch.randn(50, 9, generator=torch.Generator().manual_seed(0)), 8)
    assert torch.equal(scales, scales.half().float())
    assert (row_scales(torch.zeros(1, 3), 8) > 0).all()


def test_eight_bits_of_a_plain_row() -> None:
    integers, scales = quantize_rows(torch.tensor([[127.0, -127.0, 64.0, 1.4]]), 8)
    assert (integers.tolist(), scales.item()) == ([[127, -127, 64, 1]], 1.0)


def test_vectors_are_float16_and_matrices_integers() -> None:
    torch.manual_seed(0)
    network = quantized(CRNN(STUDENT), 4)
    packed = network.packed()
    computed = network.weights()
    assert packed["gru.bias_ih_l0"].dtype == np.float16
    assert packed["conv.weight"]["values"].dtype == np.uint8
    values, size = packed["gru.weight_hh_l0"]["values"], STUDENT.hidden
    nibbles = np.stack((values & 15, values >> 4), axis=1).ravel().astype(int)
    signed = np.where(nibbles > 7, nibbles - 16, nibbles)[: 3 * size * size].reshape(3 * size, size)
    stored = signed * packed["gru.weight_hh_l0"]["scales"][:, None].astype(np.float32)
    np.testing.assert_allclose(stored, computed["gru.weight_hh_l0"].detach().numpy(), atol=1e-6)
    assert quantized(CRNN(STUDENT), 16).packed()["conv.weight"].dtype == np.float16
