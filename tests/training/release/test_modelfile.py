import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kwsd.resources import shared
from kwsd.runtime.engine import Engine
from kwsd.runtime.model import BASELINE, STUDENT, Architecture, Model, Settings
from kwsd.runtime.modelfile import read_model
from kwsd.training.nn.convert import to_torch, weights_of
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.quantize import Quantized, quantized
from kwsd.training.release.cost import cost
from kwsd.training.release.modelfile import save_model

TINY = Architecture(channels=3, kernel=(8, 10), stride=(4, 10), hidden=15)


def made(architecture: Architecture, bits: int | None = None) -> tuple[CRNN, Model]:
    torch.manual_seed(0)
    crnn = CRNN(architecture).eval()
    network = quantized(crnn, bits) if bits else crnn
    weights = {name: weight.numpy() for name, weight in weights_of(network).items()}
    return network, Model(
        "word", architecture, weights, Settings(step=10), {"seed": 1, "metrics": [0.5, None]}
    )


@pytest.mark.parametrize("bits", [None, 16, 8, 4])
@pytest.mark.parametrize("architecture", [BASELINE, STUDENT, TINY])
def test_what_is_written_is_read(architecture: Architecture, bits: int | None, tmp_path: Path) -> None:
    network, model = made(architecture, bits)
    path = tmp_path / "model.pt"
    save_model(model, path, network.packed() if isinstance(network, Quantized) else None)
    read = read_model(path)
    for part in ("keyword", "architecture", "settings", "facts", "verifier"):
        assert getattr(read, part) == getattr(model, part)
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(read.weights[name], weight)
    assert to_torch(read)(torch.zeros(1, 100, 40), 5).shape[2] == 2
    opened = torch.load(path, weights_only=True)
    assert opened["keyword"] == "word"
    assert opened["weights"].keys() == architecture.shapes().keys()
    if bits is None:
        for name, weight in model.weights.items():
            np.testing.assert_array_equal(opened["weights"][name].numpy(), weight)


def test_what_float16_holds_exactly_is_stored_so(tmp_path: Path) -> None:
    """A first stage that was rounded at its release stays small, whoever writes it again."""
    _, model = made(STUDENT, 16)
    path = tmp_path / "model.pt"
    for name, kind in [("none", torch.float16), ("conv.weight", torch.float32)]:
        weights = {n: w + np.float32(1e-5) * (n == name) for n, w in model.weights.items()}
        weights["output.bias"] = np.float32([1e5, 0])  # beyond float16
        save_model(replace(model, weights=weights), path)
        stored = torch.load(path, weights_only=True)["weights"]
        assert (stored["conv.weight"].dtype, stored["gru.weight_ih_l0"].dtype) == (kind, torch.float16)
        assert stored["output.bias"].dtype == torch.float32
        for name_read, weight in read_model(path).weights.items():
            np.testing.assert_array_equal(weight, weights[name_read])


def test_facts_that_share_a_list_are_read(tmp_path: Path) -> None:
    _, model = made(TINY)
    noise = ["rain", ("wind", 3)]
    save_model(replace(model, facts={"noise": noise, "negatives": noise}), tmp_path / "a.pt")
    read = read_model(tmp_path / "a.pt").facts
    assert read == {"noise": ["rain", ["wind", 3]], "negatives": ["rain", ["wind", 3]]}


def test_two_writings_are_the_same_bytes(tmp_path: Path) -> None:
    _, model = made(STUDENT)
    save_model(model, tmp_path / "a.pt")
    save_model(model, tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_settings_are_replaced_without_torch(tmp_path: Path) -> None:
    """As a Raspberry Pi does that tunes a model: the weights stay as they are stored, to the byte."""
    network, model = made(STUDENT, 4)
    assert isinstance(network, Quantized)
    save_model(model, tmp_path / "a.pt", network.packed())
    other = replace(model, settings=Settings(step=10, threshold=0.7))
    save_model(other, tmp_path / "b.pt", network.packed())
    program = """if True:
        import sys
        sys.modules["torch"] = None
        from dataclasses import replace
        from pathlib import Path
        from kwsd.runtime.modelfile import read_model
        from kwsd.training.release.modelfile import write_settings
        settings = replace(read_model("a.pt").settings, threshold=0.7)
        write_settings(Path("a.pt"), settings, Path("c.pt"))
    """
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "c.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


@pytest.mark.parametrize("bits", [8, 4])
def test_a_small_model_is_a_small_file(bits: int, tmp_path: Path) -> None:
    network, model = made(TINY, bits)
    assert isinstance(network, Quantized)
    save_model(model, tmp_path / "a.pt", network.packed())
    spent = cost(tmp_path / "a.pt")[1]
    assert spent.file_bytes < spent.weight_bytes + 1_010  # the names and sizes of all parts


@pytest.mark.parametrize("path", sorted(shared("models").glob("*.pt")), ids=lambda path: path.stem)
def test_shipped_models_give_the_same_posteriors_in_torch_and_at_run_time(path: Path) -> None:
    model = read_model(path)
    random = np.random.default_rng(0)
    frames = random.normal(-6, 3, (600, 40)).astype(np.float32).cumsum(axis=0) % 16 - 14
    window, step = model.settings.window, model.settings.step
    streamed = Engine(model, window, step).advance(frames)
    with torch.inference_mode():
        whole = to_torch(model)(torch.from_numpy(frames)[None], window, step).softmax(dim=2)[0, :, 1]
    np.testing.assert_allclose(streamed, whole.numpy(), atol=1e-5)
