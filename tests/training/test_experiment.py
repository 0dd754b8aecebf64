"""The original experiment from end to end, on a toy tree."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_recipes import make_recipes_small

from kwsd.cli.commands import cli
from kwsd.errors import UsageError
from kwsd.runtime.modelfile import read_model
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.speech_commands import Clip
from kwsd.training.fit.trainer import Trainer
from kwsd.training.workflows.experiment import SPEEDS, stream

FEW = {"first_chunks": 1, "kept_chunks": 2, "chunk": 64}


@pytest.fixture(autouse=True)
def _few_batches() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_recipes_small(patch, FEW, batches=2, batch=16)
        yield


def experiment(tree: Path, out: Path, *options: Any) -> str:
    """What the command prints, with the smallest settings. Raises what it raises."""
    small = ("--data", tree, "--out", out, "--epochs", 1, "--grid-epochs", 1, "--trials", 1)
    arguments = [str(a) for a in ("experiment", *small, "--keyword", "rise", *options)]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_whole_experiment_and_continuing_it(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "experiment"
    assert experiment(tree, out).endswith("report.md was written\n")
    assert {read_model(out / f"{name}.pt").keyword for name in ("teacher", "student", "student-int8")} == {
        "rise"
    }
    runs = (out / "runs.jsonl").read_text()
    kinds = [json.loads(line)["kind"] for line in runs.splitlines()]
    assert kinds == ["train", "grid", "distill", "quantize", *["compare"] * 10]
    text = (out / "report.md").read_text()
    for figure in ("quality", "grid", "macs", "stream", "curves"):
        assert f"report/{figure}.png" in text
        assert (out / "report" / f"{figure}.png").exists()

    (out / "runs.jsonl").write_text("".join(runs.splitlines(keepends=True)[:-5]))
    experiment(tree, out)
    assert [json.loads(line)["model"] for line in (out / "runs.jsonl").read_text().splitlines()[-5:]] == [
        "student"
    ] * 5
    assert len((out / "runs.jsonl").read_text().splitlines()) == len(kinds)

    with pytest.raises(UsageError, match="other options"):
        experiment(tree, out, "--seed", 1)


def test_the_stream_is_ten_clips_of_many_words_with_two_of_the_keyword_among_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def clips(word: str, count: int) -> list[Clip]:
        return [Clip(Path(f"{word}-{number}"), word, str(number), "dev-test") for number in range(count)]

    others = [clip for word in ("bed", "cat", "dog", "yes") for clip in clips(word, 9)]
    recordings = Recordings("rise", [], None, (), ())
    monkeypatch.setattr(Recordings, "words", lambda *_: (clips("rise", 3), others))
    said = [path.name.split("-")[0] for path in stream(recordings)]
    assert said == [
        *["bed", "cat", "dog", "yes", "bed"],
        "rise",
        *["cat", "dog", "yes", "bed", "cat"],
        "rise",
    ]
    assert SPEEDS == ((20, 8), (8, 5))


def test_an_interrupted_training_continues(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []

    def interrupted(trainer: Trainer, _: Any) -> float:
        trained.append(trainer.epoch)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return 1.0

    monkeypatch.setattr(Trainer, "_train_epoch", interrupted)
    arguments = ("experiment", "--data", tree, "--keyword", "rise", "--epochs", 3, "--out", tmp_path / "out")
    for _ in range(2):
        stopped = CliRunner().invoke(cli, [*map(str, arguments), "--trials", "1", "--grid-epochs", "1"])
        if len(trained) == 2:
            assert "teacher.ckpt has 1 of 3 epochs; the same command continues from there" in stopped.output
    assert trained == [0, 1, 1, 2, 0, 0, 1, 2]  # teacher, grid, student


def test_a_word_without_clips_is_said_before_anything_is_trained(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no clips of 'sheila'"):
        experiment(tree, tmp_path / "experiment", "--keyword", "sheila")
    assert not (tmp_path / "experiment").exists()
