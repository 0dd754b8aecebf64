"""What was trained is kept, whatever becomes of the files around it."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from harness import KWSD, wait_for
from small_recipes import make_recipes_small

from kwsd.cli import main
from kwsd.cli.commands import cli
from kwsd.cli.lenient_output import LenientOutput
from kwsd.cli.options import command_line
from kwsd.errors import KwsdError, UsageError
from kwsd.runtime.model import STUDENT, Architecture
from kwsd.runtime.modelfile import read_model
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.pool import ScenePool
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.trainer import Epoch, Trainer
from kwsd.training.workflows import run

FEW = {"first_chunks": 1, "kept_chunks": 2, "chunk": 32}
SMALL = Architecture(channels=2, kernel=(10, 16), stride=(10, 10), hidden=6)


@pytest.fixture(autouse=True)
def _few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    make_recipes_small(monkeypatch, FEW, window=16, epochs=3, batches=3, batch=8)


def trainer(tree: Path, checkpoint: Path | None) -> Trainer:
    recordings = Recordings.read(tree, "rise", (), ())
    recipe = Recipe(SMALL, 16, 3, 3, 8, augmentation=Augmentation(**FEW))
    pool = ScenePool(recordings.scenes(recipe.augmentation), 0)
    return Trainer(recipe, pool, recordings.validation(), checkpoint)


def train(tree: Path, out: Path, *options: str) -> list[str]:
    """The arguments of a short training."""
    return ["train", "--student", "--keyword", "rise", "--data", str(tree), "--out", str(out), *options]


def ended(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, list[str]]:
    """The exit code and the lines of standard error."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return end.value.code, capsys.readouterr().err.splitlines()


def test_a_checkpoint_that_cannot_be_written_costs_a_line(tree: Path, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    run = trainer(tree, folder / "m.ckpt")  # no such folder
    epochs: list[Epoch] = []

    def report(epoch: Epoch) -> None:
        epochs.append(epoch)
        if epoch.number == 2:
            folder.mkdir()  # room is made

    run.run(report)
    assert [bool(epoch.not_saved) for epoch in epochs] == [True, True, False]
    assert "m.ckpt" in epochs[0].not_saved
    assert run.saved == 3


def test_the_line_is_printed_once_and_the_model_written(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _: object) -> None:
        raise KwsdError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("kwsd.training.fit.trainer.replace_file", refuse)
    out = tmp_path / "m.pt"
    result = CliRunner().invoke(cli, train(tree, out, "--epochs", "3"), catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.count("m.ckpt: No space left on device; training continues") == 1
    assert read_model(out).keyword == "rise"


def test_a_model_that_cannot_be_written_is_in_its_checkpoint(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise KwsdError("cannot write m.pt: No space left on device")

    out = tmp_path / "m.pt"
    with monkeypatch.context() as patch:
        patch.setattr("kwsd.training.release.release.save_model", refuse)
        code, lines = ended(capsys, *train(tree, out, "--epochs", "2"))
    assert code == 1
    left = f"{out.with_suffix('.ckpt')} has all epochs; the same command with --resume continues from there"
    assert lines == [f"kwsd: cannot write m.pt: No space left on device ({left})"]
    code, _ = ended(capsys, *train(tree, out, "--epochs", "2", "--resume"))
    assert not code
    assert read_model(out).keyword == "rise"
    assert not out.with_suffix(".ckpt").exists()


def test_where_nothing_can_be_written_the_model_is_elsewhere(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The disk of the model filled up during the first epoch."""
    from kwsd import files
    from kwsd.training.fit import trainer as training
    from kwsd.training.release import torchfile

    def full(path: Path, content: bytes) -> None:
        if path.parent == tmp_path / "out":
            raise KwsdError(f"cannot write {path}: No space left on device")
        files.replace_file(path, content)

    monkeypatch.setattr(training, "replace_file", full)
    monkeypatch.setattr(torchfile, "replace_file", full)
    monkeypatch.setattr(run.tempfile, "gettempdir", lambda: str(tmp_path))
    (tmp_path / "out").mkdir()
    code, lines = ended(capsys, *train(tree, tmp_path / "out" / "m.pt", "--epochs", "1"))
    assert code == 1
    assert lines[-1].endswith(f"No space left on device; the trained model is in {tmp_path / 'm.pt'}")
    assert read_model(tmp_path / "m.pt").keyword == "rise"


def test_a_record_that_fills_up_leaves_the_model(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    out = tmp_path / "m.pt"
    code, lines = ended(capsys, *train(tree, out, "--epochs", "1", "--record", "/dev/full"))
    assert code == 1
    assert "cannot add the run to /dev/full: No space left on device" in lines[-1]
    assert read_model(out).keyword == "rise"
    assert out.with_suffix(".md").exists()


def test_ctrl_c_says_what_was_saved_and_resume_continues(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, checkpoint = tmp_path / "m.pt", tmp_path / "m.ckpt"
    validate = Trainer.validate

    def interrupted_at(epoch: int) -> None:
        def at(run: Trainer) -> float:
            if run.epoch == epoch:
                raise KeyboardInterrupt
            return validate(run)

        monkeypatch.setattr(Trainer, "validate", at)

    interrupted_at(1)
    assert ended(capsys, *train(tree, out, "--epochs", "3")) == (
        130,
        ["kwsd: stopped; nothing of this run was saved"],
    )
    interrupted_at(3)
    assert ended(capsys, *train(tree, out, "--epochs", "3")) == (
        130,
        [
            f"kwsd: stopped; {checkpoint} has 2 of 3 epochs; "
            "the same command with --resume continues from there"
        ],
    )
    monkeypatch.setattr(Trainer, "validate", validate)
    assert ended(capsys, *train(tree, out, "--epochs", "3", "--resume")) == (None, [])
    assert read_model(out).keyword == "rise"


def test_another_training_to_the_same_file_may_end_first(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It removes the checkpoint of both."""
    best = Trainer.best_crnn

    def removed(run: Trainer) -> Any:
        assert run.checkpoint is not None
        run.checkpoint.unlink()
        return best(run)

    monkeypatch.setattr(Trainer, "best_crnn", removed)
    assert ended(capsys, *train(tree, tmp_path / "m.pt", "--epochs", "1")) == (None, [])


class Hostile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("damage", ["half", "none of it", "text", "another's", "hostile", "a list"])
def test_a_damaged_checkpoint_is_one_line_and_runs_nothing(
    damage: str, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, ran = tmp_path / "m.ckpt", tmp_path / "ran"
    run = trainer(tree, checkpoint)
    run.save(checkpoint)
    if damage == "half":
        checkpoint.write_bytes(half(checkpoint.read_bytes()))
    elif damage == "none of it":
        checkpoint.write_bytes(b"")
    elif damage == "text":
        checkpoint.write_text("a checkpoint")
    elif damage == "another's":
        torch.save({"model": torch.zeros(3)}, checkpoint)
    elif damage == "a list":
        torch.save([1, 2], checkpoint)
    else:
        torch.save({"made_for": Hostile(ran)}, checkpoint)
        pickle.loads(pickle.dumps(Hostile(tmp_path / "works")))
        assert (tmp_path / "works").exists()  # where it is trusted, it does run
    code, lines = ended(capsys, *train(tree, tmp_path / "m.pt", "--resume"))
    assert code == 2
    assert lines == [f"kwsd: {checkpoint} is damaged or not a checkpoint of kwsd; remove it"]
    assert not ran.exists()


def test_a_checkpoint_with_weights_of_another_shape_is_damaged(tree: Path, tmp_path: Path) -> None:
    run = trainer(tree, None)
    run.save(tmp_path / "m.ckpt")
    state = torch.load(tmp_path / "m.ckpt", weights_only=True)
    state["crnn"]["output.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "m.ckpt")
    with pytest.raises(UsageError, match="damaged"):
        run.resume(tmp_path / "m.ckpt")


SCRIPT = """
    import sys
    from pathlib import Path

    from kwsd.runtime.model import Architecture
    from kwsd.training.augment.augmentation import Augmentation
    from kwsd.training.augment.pool import ScenePool
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.fit.trainer import Trainer

    tree, checkpoint = map(Path, sys.argv[1:3])
    recordings = Recordings.read(tree, "rise", (), ())
    few = Augmentation(first_chunks=1, kept_chunks=2, chunk=32)
    pool = ScenePool(recordings.scenes(few), 0)
    recipe = Recipe(Architecture(2, (10, 16), (10, 10), 6), 16, 3, 3, 8, augmentation=few)
    trainer = Trainer(recipe, pool, recordings.validation(), checkpoint)

    def report(epoch):
        print(epoch.number, flush=True)
        if epoch.number == 2:
            sys.stdin.read()  # until it is ended

    trainer.run(report)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_weights_are_equal_to_the_bit_after_a_kill_and_resume(
    number: signal.Signals, tree: Path, tmp_path: Path
) -> None:
    checkpoint, printed = tmp_path / "m.ckpt", tmp_path / "printed"
    line = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tree), str(checkpoint)]
    with printed.open("wb") as file:
        process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=file, stderr=subprocess.DEVNULL)
    wait_for("the second epoch", lambda: b"2" in printed.read_bytes())
    process.send_signal(number)
    assert process.wait(60) != 0
    assert process.stdin is not None
    process.stdin.close()
    resumed = trainer(tree, checkpoint)
    resumed.resume(checkpoint)
    assert resumed.epoch == 2
    resumed.run(lambda _: None)
    whole = trainer(tree, None)
    whole.run(lambda _: None)
    assert resumed.history == whole.history
    for name, weight in whole.best_crnn().state_dict().items():
        assert torch.equal(resumed.best_crnn().state_dict()[name], weight)


def test_a_disk_without_room_is_said_first(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=40_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        KwsdError, match=r"40 kB of disk left, and 288 kB are needed for the model and its checkpoint"
    ) as error:
        run.check_disk_space(tmp_path / "m.pt", STUDENT)
    assert error.value.exit_code == 1
    with pytest.raises(KwsdError, match="are needed"):
        CliRunner().invoke(cli, train(tree, tmp_path / "m.pt"), catch_exceptions=False)
    assert not list(tmp_path.iterdir())


def test_the_command_that_is_kept_names_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "kwsd train --data /home/jane/speech/ --out=/home/jane/m.pt --noise .. --epochs 3 --snr -5"
    monkeypatch.setattr(sys, "argv", line.split())
    assert command_line() == "kwsd train --data speech --out=m.pt --noise .. --epochs 3 --snr -5"


def test_standard_output_that_fills_up_ends_nothing(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    line = (KWSD, "mine", "--model", "student", "--negatives", tree / "fall", "--out", tmp_path / "mined")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    problem = "kwsd: cannot write to standard output: No space left on device"
    assert done.stderr.splitlines() == [f"{problem}; the command continues", problem]


def test_names_that_cannot_be_encoded_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    LenientOutput().write(os.fsdecode(b"b\xe9.wav\n"))
    assert capsys.readouterr().out == "b\\udce9.wav\n"


@pytest.mark.parametrize(
    "end", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "Ctrl-C"]
)
def test_a_folder_that_is_being_filled_keeps_what_is_there(
    end: BaseException,
    tree: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ends(*_: object, **__: object) -> None:
        raise end

    monkeypatch.setattr("kwsd.training.workflows.mine.mine", ends)
    out = tmp_path / "mined"
    code, lines = ended(
        capsys, "mine", "--model", "student", "--negatives", str(tree / "fall"), "--out", str(out)
    )
    again = f"{out} keeps its files; the same command continues"
    if isinstance(end, OSError):
        wanted = (1, f"kwsd: cannot write to {out}: No space left on device; {again}")
    else:
        wanted = (130, f"kwsd: stopped; {again}")
    assert (code, lines[-1]) == wanted
