"""Every option of every command: a value out of range is refused in one line, before any work."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import soundfile

from kwsd.cli import main
from kwsd.cli.checked import CheckedCommand, CheckedPath
from kwsd.cli.commands import COMMANDS, TRAINING, cli

ABSURD = ("0", "-1", "nan", "inf", "1e9", "1000000000", "", " ", "1.5")
# what a command needs besides the option in question
GIVEN = {
    "listen": ["--input", "a.wav"],
    "score": ["a.wav"],
    "train": ["--data", "tree", "--out", "m.pt"],
    "new": ["computer", "--out", "m.pt"],
    "synthesize": ["computer", "--out", "speech"],
    "evaluate": ["--model", "student", "--data", "tree"],
    "mine": ["--model", "student", "--negatives", "tree", "--out", "mined"],
    "tune": ["--model", "student", "--positives", "tree", "--negatives", "tree", "--out", "m.pt"],
    "distill": ["--teacher", "teacher", "--data", "tree", "--out", "m.pt"],
    "quantize": ["--model", "student", "--data", "tree", "--out", "m.pt"],
    "prune": [
        *("--model", "student", "--teacher", "teacher", "--data", "tree", "--out", "m.pt"),
        *("--channels", "2", "--hidden", "10"),
    ],
    "experiment": ["--data", "tree"],
    "info": ["student"],
    "report": [],
    "wyoming": [],
    "export": ["computer", "--to", "onnx"],
    "teach": ["computer", "--recordings", "tree", "--out", "m.pt"],
}
WORKSHOP = (
    "train",
    "new",
    "synthesize",
    "evaluate",
    "mine",
    "tune",
    "distill",
    "quantize",
    "prune",
    "experiment",
    "report",
)


def command_of(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def options_of(name: str) -> Iterator[click.Option]:
    for parameter in command_of(name).params:
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            yield parameter


def types_of(option: click.Option) -> list[click.ParamType[Any]]:
    return list(option.type.types) if isinstance(option.type, click.Tuple) else [option.type]


def refused(kind: click.ParamType[Any], value: str) -> bool:
    """Whether the value is out of the option's range, by what its help says."""
    if isinstance(kind, click.Choice):
        return value not in kind.choices
    if not isinstance(kind, click.IntRange | click.FloatRange):
        return value == ""
    try:
        number = float(value)
        if isinstance(kind, click.IntRange):
            int(value)
    except ValueError:
        return True
    if not math.isfinite(number):
        return True
    too_low = kind.min is not None and (number < kind.min or (kind.min_open and number == kind.min))
    return too_low or (kind.max is not None and number > kind.max)


CASES = [
    (name, option.opts[0], value, len(types_of(option)))
    for name in GIVEN
    for option in options_of(name)
    for value in ABSURD
    if any(refused(kind, value) for kind in types_of(option))
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a recording and a tree of two words."""
    monkeypatch.chdir(tmp_path)
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    for word in ("happy", "bed"):
        (tmp_path / "tree" / word).mkdir(parents=True)
        soundfile.write(tmp_path / "tree" / word / "a.wav", np.zeros(16_000), 16_000)
    return tmp_path


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[Any, str]:
    """The exit code, and the only line that is printed."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    printed = capsys.readouterr()
    (line,) = (printed.out + printed.err).splitlines()
    return ended.value.code, line


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "option", "value", "count"), CASES)
def test_an_absurd_value_is_refused(
    name: str, option: str, value: str, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.process_time()
    code, line = complaint(capsys, name, *GIVEN[name], option, *[value] * count)
    assert code == 2
    assert line.startswith("kwsd: ")
    assert time.process_time() - started < 20  # nothing is trained, spoken or streamed
    assert not Path("m.pt").exists()


def test_the_cases_cover_the_training_commands() -> None:
    assert {name for name, *_ in CASES} >= set(GIVEN) - {"info"}
    assert ("distill", "--temperature", "0", 1) in CASES
    assert ("distill", "--window", "0", 1) in CASES
    # these have no numbers and no paths, or tests of their own for them
    assert set(COMMANDS) - set(GIVEN) == {*("config", "ctl", "devices", "doctor", "kit", "label", "service")}


@pytest.mark.parametrize("name", WORKSHOP)
def test_every_number_has_a_range_and_every_path_a_check(name: str) -> None:
    command = command_of(name)
    assert isinstance(command, CheckedCommand)
    for option in options_of(name):
        for kind in types_of(option):
            assert type(kind) not in (click.types.IntParamType, click.types.FloatParamType), option.name
            if isinstance(kind, click.IntRange | click.FloatRange):
                assert kind.min is not None, option.name
                assert kind.max is not None, option.name
            if isinstance(kind, click.Path):
                assert isinstance(kind, CheckedPath), option.name


@pytest.mark.parametrize("name", GIVEN)
def test_help_says_ranges_that_are_ranges(name: str) -> None:
    assert "None" not in command_of(name).get_help(click.Context(command_of(name)))


# what fits no other option: the command after its name, and a part of the line
CROSSED = {
    "alpha above 1": ("distill --teacher teacher --data tree --out m.pt --alpha 7", "0<=x<=1"),
    "a kernel longer than an example": (
        "distill --teacher teacher --data tree --out m.pt --kernel 5 300",
        "leave 0 steps in an example",
    ),
    "too many parameters": (
        "distill --teacher teacher --data tree --out m.pt --hidden 1000 --channels 1000",
        "parameters are too many",
    ),
    "a window of minutes": ("distill --teacher teacher --data tree --out m.pt --window 5000", "450.0 s"),
    "a window of minutes, judged": ("evaluate --model student --data tree --window 99999", "at most 30 s"),
    "architectures of a search": (
        "distill --teacher teacher --data tree --grid --search --hidden 9",
        "--hidden cannot be used with --search",
    ),
    "streams beside clips": (
        "evaluate --model student --data tree --positives tree",
        "--positives cannot be used with --data",
    ),
    "a split that no speech has": (
        "evaluate --model student --positives tree --negatives tree --split testing",
        "give --split dev-test",
    ),
    "jobs for clips": ("evaluate --model student --data tree --jobs 4", "--jobs cannot be used with --data"),
    "a cluster for clips": (
        "evaluate --model student --data tree --backend dask",
        "--backend cannot be used with --data",
    ),
    "a cluster for nothing": ("evaluate --model student --backend dask", "give --data, or both"),
    "a second stage of no embedding": (
        "train --data tree --out m.pt --no-verifier",
        "--verifier/--no-verifier needs --embedding",
    ),
    "a kit beside no kit": ("new hey --no-kit --kit kit", "--kit cannot be used with --no-kit"),
    "yes to no kit": ("new hey --no-kit --yes", "--yes cannot be used with --no-kit"),
    "a folder for no microphone": (
        "teach jarvis --recordings tree --keep kept",
        "--keep cannot be used with --recordings",
    ),
    "a count for no microphone": (
        "teach jarvis --recordings tree --count 50",
        "--count cannot be used with --recordings",
    ),
    "a device for no microphone": (
        "teach jarvis --recordings tree --device nosuch",
        "--device cannot be used with --recordings",
    ),
    "no playback for no microphone": (
        "teach jarvis --recordings tree --no-play",
        "--no-play cannot be used with --recordings",
    ),
    "recordings into a file": ("teach jarvis --keep a.wav", "a.wav is a file; give a folder"),
    "no way to go": ("distill --teacher teacher --data tree", "--out"),
    "a plot of no grid": ("distill --teacher teacher --data tree --out m.pt --plot a.png", "--grid"),
    "trials of no grid": ("distill --teacher teacher --data tree --out m.pt --trials 3", "--grid"),
    "a model of a grid": ("distill --teacher teacher --data tree --grid --out m.pt", "--grid"),
    "a teacher without --qat": ("quantize --model student --data tree --out m.pt --teacher teacher", "--qat"),
    "a comparison that writes": ("quantize --model student --data tree --compare --out m.pt", "--compare"),
    "unseen speech without a verifier": ("train --data tree --out m.pt --unseen tree", "--embedding"),
    "more than the model has": (
        "prune --model student --teacher teacher --data tree --out m.pt --channels 9 --hidden 9",
        "at most as many",
    ),
    "a blank keyword": ("train --data tree --out m.pt --keyword \u2800", "be 1 to 100 printable characters"),
    "a keyword that is not there": ("train --data tree --out m.pt --keyword sheila", "bed, happy"),
    "no model": ("info no-such", "shipped models"),
    "a folder that is not there": ("train --data no-such --out m.pt", "no-such: no such folder"),
    "noise that is not there": ("train --data tree --out m.pt --noise no-such", "no-such: no such folder"),
    "noise that is a file": ("train --data tree --out m.pt --noise a.wav", "a.wav: Not a directory"),
    "unseen speech that is not there": (
        "train --data tree --out m.pt --embedding --speech tree --unseen no-such",
        "no-such: no such folder",
    ),
    "a model that is a folder": ("train --data tree --out tree", "tree is a folder"),
    "a model in no folder": ("train --data tree --out no/m.pt", "there is no folder no"),
    "a model that is a device": ("train --data tree --out /dev/null", "device"),
    "a model in a folder of the kernel's": ("train --data tree --out /proc/m.pt", "/proc"),
    "a model named like a card": ("train --data tree --out m.md", "card"),
    "a model named like a checkpoint": ("train --data tree --out m.ckpt", "checkpoint"),
    "a record that is the model": ("train --data tree --out m.pt --record m.pt", "both write m.pt"),
    "a record in no folder": ("train --data tree --out m.pt --record /proc/nope/r.jsonl", "/proc/nope"),
    "a record that is a folder": ("train --data tree --out m.pt --record tree", "tree"),
    "a picture of no kind": ("evaluate --model student --data tree --plot a.txt", "png"),
    "a picture in no folder": ("evaluate --model student --data tree --plot no/a.png", "no folder no"),
    "clips into a file": ("mine --model student --negatives tree --out a.wav", "a.wav is a file"),
    "speech into a file": ("synthesize computer --out a.wav/speech", "a.wav is a file"),
    "no checkpoint": ("train --data tree --out m.pt --resume", "m.ckpt does not exist, so"),
    "no runs": ("report --out r.md", "results/runs.jsonl: no such file"),
}  # fmt: skip


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", CROSSED)
def test_what_does_not_fit_is_said_before_any_work(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, part = CROSSED[name]
    if arguments.split()[0] in TRAINING:
        pytest.importorskip("torch")
    code, line = complaint(capsys, *arguments.split())
    assert code == 2
    assert part in line
    assert not Path("m.pt").exists()


@pytest.mark.parametrize("taken", ["m.pt", "m.md", "m.ckpt"])
def test_a_folder_in_the_way_of_any_file_is_said_first(
    taken: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / taken).mkdir()
    assert complaint(capsys, "train", "--data", "tree", "--out", "m.pt") == (
        2,
        f"kwsd: {taken} is a folder; give a file",
    )
