"""Options from a TOML file, and `kwsd config`, as installed."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import KWSD, LOUD, PATIENCE, Spoken


def run(*arguments: str | Path, home: Path, columns: int = 300) -> "subprocess.CompletedProcess[str]":
    """Run kwsd with this as $XDG_CONFIG_HOME, as on a terminal so wide."""
    environment = os.environ | {"XDG_CONFIG_HOME": str(home), "COLUMNS": str(columns)}
    return subprocess.run(
        [KWSD, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def shown(*arguments: str | Path, home: Path) -> dict[str, dict[str, Any]]:
    done = run("config", "--json", *arguments, home=home)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file where it is looked for, with a model beside it."""
    path = tmp_path / "kwsd" / "config.toml"
    path.parent.mkdir()
    shutil.copy(LOUD, path.parent / "mine.pt")
    path.write_text('model = "mine.pt"\nwindow = 7\nthreshold = 1\nclips-limit = 20\ndevice = "USB"\n')
    return path


def test_command_line_beats_file_beats_model_beats_default(file: Path, tmp_path: Path) -> None:
    model = str(file.parent / "mine.pt")
    found = shown("--window", "9", home=tmp_path)
    assert found["window"] == {"value": 9, "from": "command line"}
    assert found["threshold"] == {"value": 1.0, "from": "the file"}
    assert found["clips-limit"] == {"value": 20.0, "from": "the file"}
    assert found["model"] == {"value": model, "from": "the file"}
    assert found["step"] == {"value": 10, "from": "the model"}
    assert found["hook-timeout"] == {"value": 30.0, "from": "default"}
    assert found["config"]["value"] == str(file)


@pytest.mark.usefixtures("file")
def test_a_release_that_the_threshold_lowers_is_said_to_be(tmp_path: Path) -> None:
    assert shown("--threshold", "0.2", home=tmp_path)["release"] == {"value": 0.2, "from": "the threshold"}


def test_the_old_name_of_an_option_still_works_with_one_line(file: Path, tmp_path: Path) -> None:
    line = "kwsd: the option gate is deprecated; use candidate-threshold\n"
    for options, text, origin in ((["--gate", "0.4"], "", "command line"), ([], "gate = 0.4\n", "the file")):
        file.write_text('model = "mine.pt"\n' + text)
        done = run("config", "--json", *options, home=tmp_path)
        assert done.stderr == line
        found = json.loads(done.stdout)
        assert found["candidate-threshold"] == {"value": 0.4, "from": origin}
        assert "gate" not in found
    file.write_text("gate = 0.4\ncandidate-threshold = 0.3\n")
    done = run("config", home=tmp_path)
    assert done.returncode == 2
    assert (
        f"{file}: candidate-threshold is set twice, once by its old name; remove one of them" in done.stderr
    )


@pytest.mark.usefixtures("file")
def test_another_file_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("window = 8\n")
    found = shown("--config", other, home=tmp_path)
    assert found["window"] == {"value": 8, "from": "the file"}
    assert found["config"]["from"] == "command line"
    assert found["clips-limit"]["from"] == "default"


def test_without_a_file_all_is_the_model_s_or_default(tmp_path: Path) -> None:
    found = shown(home=tmp_path)
    assert found["config"]["value"] is None
    assert {value["from"] for value in found.values()} == {"default", "the model"}


def test_the_table_shows_every_value(file: Path, tmp_path: Path) -> None:
    file.write_text(file.read_text() + 'on-trigger = ["[red]lamp on", "ding"]\n')
    lines = run("config", home=tmp_path).stdout.splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines]
    assert ["window", "7", "the file"] in rows
    assert ["on-trigger", "[red]lamp on", "the file"] in rows
    assert ["ding"] in rows


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("columns", [40, 80])
def test_a_narrow_table_is_wrapped_and_never_cut(columns: int, tmp_path: Path) -> None:
    hook = "curl -s http://localhost:8123/api/webhook/a-name-that-is-too-long-for-a-narrow-terminal"
    done = run("config", "--on-trigger", hook, home=tmp_path, columns=columns)
    assert max(map(len, done.stdout.splitlines())) <= columns
    assert "…" not in done.stdout
    for text in ("clip-seconds", "exit-on-loss", "the model", "default"):
        assert text in done.stdout


def test_listen_takes_its_options_from_the_file(file: Path, tmp_path: Path, loud: Spoken) -> None:
    """Among them a device, that a recording replaces, and a folder, that lies beside the file."""
    heard = tmp_path / "heard"
    file.write_text(
        'model = "mine.pt"\ndevice = "USB"\nsave-clips = "clips"\nclip-seconds = 1\n'
        f'on-trigger = ["echo $KWSD_KEYWORD >> {heard}"]\nformat = "text"\n'
    )
    done = run("listen", "--input", loud.path, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "loud  posterior 0.99" in done.stdout
    assert heard.read_text() == "loud\n"
    assert len(list((file.parent / "clips").iterdir())) == 1
    assert f"kwsd: read options from {file}\n" in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("treshold = 0.5", "there is no option 'treshold'; the options are: model, input, device, "),
        ("[listen]\nwindow = 5", "there is no option 'listen'"),
        ("window = '5'", "window must be a whole number, not '5'"),
        ("window = 5.0", "window must be a whole number, not 5.0"),
        ("window = true", "window must be a whole number, not True"),
        ("window = 0", "window: 0 is not in the range x>=1."),
        ("threshold = '0.5'", "threshold must be a number, not '0.5'"),
        ("threshold = nan", "threshold: nan is not a finite number."),
        ("model = 5", "model must be a quoted string, not 5"),
        ("meter = 1", "meter must be true or false, not 1"),
        ("on-trigger = 'ding'", "on-trigger must be a list of items, each a quoted string, not 'ding'"),
        (
            "on-trigger = [1]",
            "on-trigger must be a list of items, each a quoted string, not a value of type list",
        ),
        ("window = 0x" + "f" * 5_000, "window must be a whole number, not a number of more than 64 bits"),
        (
            "on-trigger = " + "[" * 90 + "]" * 90,
            "a list of items, each a quoted string, not a value of type list",
        ),
        ("window.a.b = 5", "window must be a whole number, not a value of type dict"),
        ('"a\\u001b[2J\\n" = 5', r"there is no option 'a\x1b[2J\n'; the options are"),
        ("format = 'xml'", "format: 'xml' is not one of 'auto', 'text', 'json'."),
        ("window", "is not TOML: "),
        ("window = 5\nwindow = 6", "is not TOML: "),
        ("\udcff", "is not TOML: "),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    done = run("listen", "--config", path, "--input", "none.wav", home=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("kwsd: ")
    assert says in done.stderr
    assert str(path) in done.stderr


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    """One that is not there now may be there at the next try: with exit code 1 systemd makes it."""
    for path, reason, code in (
        (tmp_path, "Is a directory", 2),
        (tmp_path / "none", "No such file or directory", 1),
        ("x" * 5_000, "File name too long", 2),
    ):
        done = run("listen", "--config", path, home=tmp_path)
        assert done.returncode == code
        assert done.stderr == f"kwsd: cannot read the configuration {path}: {reason}\n"


def test_a_service_is_told_of_the_file(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(file.parent)
    done = run("service", "install", "--config", "config.toml", "--window", "5", home=tmp_path)
    assert done.returncode == 0, done.stderr
    unit = (tmp_path / "systemd" / "user" / "kwsd.service").read_text()
    assert f"listen --config {file} --window 5\n" in unit
    file.write_text("meter = true")
    done = run("service", "install", "--config", "config.toml", home=tmp_path)
    assert done.returncode == 2
    assert "a service cannot use --meter" in done.stderr
