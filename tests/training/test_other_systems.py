"""A word is trained, measured and made smaller on macOS and Windows."""

import json
import shutil
from pathlib import Path

import pytest
from systems import SYSTEMS, kwsd

pytest.importorskip("torch")
SYSTEM = SYSTEMS[-1]  # on Linux Windows is imitated, which lacks all that macOS does


@pytest.fixture(scope="module")
def small(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of one take a speaker, whose splits are in lists, as the archive has them."""
    root = tmp_path_factory.mktemp("small") / "tree"
    shutil.copytree(tree, root, ignore=lambda _, names: [name for name in names if "_nohash_1" in name])
    clips = sorted(path.relative_to(root).as_posix() for path in root.glob("[a-z]*/*.wav"))
    for number, split in enumerate(("validation", "testing")):
        lines = (f"{clip}\n" for place, clip in enumerate(clips) if place % 5 == number)
        (root / f"{split}_list.txt").write_text("".join(lines), "utf-8")
    return root


@pytest.fixture(scope="module")
def model(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    options = ("--keyword", "rise", "--epochs", 1, "--record", folder / "runs.jsonl")
    kwsd(SYSTEM, "train", "--student", "--data", small, *options, "--out", folder / "rise.pt")
    return folder / "rise.pt"


def test_a_word_is_trained(model: Path) -> None:
    facts = json.loads(kwsd(SYSTEM, "info", model, "--json").stdout)
    assert facts["keyword"] == "rise"
    assert "kwsd train --student --data tree" in model.with_suffix(".md").read_text("utf-8")


def test_the_run_is_reported(model: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    kwsd(SYSTEM, "report", "--runs", model.with_name("runs.jsonl"), "--out", report)
    assert "rise" in report.read_text("utf-8")


def test_it_is_measured_in_several_processes(model: Path, small: Path) -> None:
    options = ("--positives", small / "rise", "--negatives", small / "fall", "--jobs", 2)
    assert "30 utterances" in kwsd(SYSTEM, "evaluate", "--model", model, *options).stdout


def test_what_it_mistakes_is_collected(model: Path, small: Path, tmp_path: Path) -> None:
    kwsd(SYSTEM, "mine", "--model", model, "--negatives", small / "fall", "--out", tmp_path / "mined")


def test_its_weights_are_stored_in_fewer_bits(model: Path, small: Path, tmp_path: Path) -> None:
    kwsd(SYSTEM, "quantize", "--model", model, "--bits", 8, "--data", small, "--out", tmp_path / "int8.pt")
    assert (tmp_path / "int8.pt").stat().st_size < model.stat().st_size


def test_a_word_is_spoken_in_several_processes(tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    counts = ("--count", 2, "--near-misses", 1, "--sentences", 1, "--jobs", 2)
    kwsd(SYSTEM, "synthesize", "hey rise", "--out", tmp_path / "speech", *counts)
    assert len(list((tmp_path / "speech").rglob("*.flac"))) == 4
