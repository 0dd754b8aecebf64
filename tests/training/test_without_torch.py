"""Evaluating, mining, tuning and exporting where torch cannot be imported: with the same results."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.modelfile import read_model

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "tests" / "loud.pt"

REFUSAL = """
import sys

class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("torch", "torchaudio", "scipy"):
            raise ImportError(f"{name} is refused")

sys.meta_path.insert(0, Refuse())
"""

IMPORT_ALL = """
import importlib, pkgutil
import kwsd.training.evaluate as room

for module in pkgutil.iter_modules(room.__path__):
    importlib.import_module(f"{room.__name__}.{module.name}")
"""


@pytest.fixture
def refused(tmp_path: Path) -> dict[str, str]:
    """An environment in which Python refuses to import torch."""
    (tmp_path / "refusal").mkdir()
    (tmp_path / "refusal" / "sitecustomize.py").write_text(REFUSAL)
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path / "refusal"), str(ROOT)))}


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    """The options that name some bursts of noise as the keyword, and other noise as the rest."""
    random = np.random.default_rng(0)
    for name, levels in (("positives", (0.02, 0.1, 0.3)), ("negatives", (0.05, 0.2))):
        (tmp_path / name).mkdir()
        for number, level in enumerate(levels):
            burst = np.zeros(2 * SAMPLE_RATE)
            burst[8_000:20_000] = random.normal(0, level, 12_000)
            soundfile.write(tmp_path / name / f"{number}.wav", burst, SAMPLE_RATE)
    return ["--positives", str(tmp_path / "positives"), "--negatives", str(tmp_path / "negatives")]


def python(*arguments: str, env: dict[str, str] | None = None) -> str:
    """What Python prints, in an environment."""
    run = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    return run.stdout


def kwsd(*arguments: str, env: dict[str, str] | None = None) -> str:
    return python("-m", "kwsd", *arguments, "--model", str(MODEL), env=env)


def test_torch_is_refused_and_evaluating_does_not_import_it(refused: dict[str, str]) -> None:
    with pytest.raises(AssertionError, match="torch is refused"):
        python("-c", "import torch", env=refused)
    python("-c", IMPORT_ALL, env=refused)


def test_the_curve_is_the_same(refused: dict[str, str], folders: list[str]) -> None:
    line = ["evaluate", *folders, "--json"]
    assert kwsd(*line, env=refused) == kwsd(*line)


def test_the_tuned_model_is_the_same(refused: dict[str, str], folders: list[str], tmp_path: Path) -> None:
    for name, env in (("with.pt", None), ("without.pt", refused)):
        line = ("tune", *folders, "--fa-per-hour", "3600", "--out", str(tmp_path / name))
        [*_, last] = kwsd(*line, env=env).splitlines()
        chosen = r"threshold [\d.]+, candidate threshold [\d.]+, patience \d, window \d+, step \d+"
        assert re.fullmatch(f"{tmp_path / name}: {chosen}", last)
    assert (tmp_path / "without.pt").read_bytes() == (tmp_path / "with.pt").read_bytes()
    assert read_model(tmp_path / "without.pt").settings != read_model(MODEL).settings
    torch = pytest.importorskip("torch")  # its own reader opens the file, too
    record, original = (torch.load(path, weights_only=True) for path in (tmp_path / "without.pt", MODEL))
    assert record["facts"] == original["facts"]
    assert record["weights"].keys() == original["weights"].keys()
    assert all(torch.equal(weight, original["weights"][name]) for name, weight in record["weights"].items())


def test_the_same_is_mined(refused: dict[str, str], folders: list[str], tmp_path: Path) -> None:
    mined = []
    for name, env in (("with", None), ("without", refused)):
        line = ["mine", "--negatives", folders[1], "--threshold", "0.001", "--out", str(tmp_path / name)]
        kwsd(*line, env=env)
        mined.append({path.name: path.read_bytes() for path in (tmp_path / name).glob("*.flac")})
    assert mined[0] == mined[1]
    assert mined[0]


@pytest.mark.parametrize(("model", "to"), [("alexa", "openwakeword"), ("student", "onnx")])
def test_the_same_is_exported(refused: dict[str, str], tmp_path: Path, model: str, to: str) -> None:
    pytest.importorskip("tflite", reason="needs the extra export")
    files = []
    for name, env in (("with", None), ("without", refused)):
        printed = python("-m", "kwsd", "export", model, "--to", to, "--out", str(tmp_path / name), env=env)
        files.append({Path(line).name: Path(line).read_bytes() for line in printed.splitlines()})
    assert files[0] == files[1]
    assert len(files[0]) == {"openwakeword": 3, "onnx": 1}[to]
