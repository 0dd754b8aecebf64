"""``kwsd export`` from the command line."""

import sys
from pathlib import Path

import pytest
from harness import LOUD

from kwsd.cli import main

pytest.importorskip("tflite", reason="needs the extra export")


def run(*words: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["export", *map(str, words)])
    return int(ended.value.code or 0)


def test_the_current_folder_gets_the_files_and_their_names_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alexa.json").write_text("old")
    assert run("alexa", "--to", "openwakeword") == 0
    assert capsys.readouterr().out.split() == ["alexa.tflite", "alexa.onnx", "alexa.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"alexa.tflite", "alexa.onnx", "alexa.json"}
    assert (tmp_path / "alexa.json").read_text() != "old"


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    assert run(LOUD, "--to", "onnx", "--out", tmp_path / "two" / "deep") == 0
    assert (tmp_path / "two" / "deep" / "loud-first-stage.onnx").stat().st_size > 600_000


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("no-such", "--to", "onnx"), "kwsd: no-such: No such file or directory; shipped models: "),
        ((__file__, "--to", "onnx"), "test_export.py: "),
        ((LOUD, "--to", "coreml"), "'coreml' is not one of 'openwakeword', 'onnx'"),
        ((LOUD,), "Missing option '--to'"),
        ((LOUD, "--to", "onnx", "--out", __file__), "test_export.py is a file; give a folder"),
        ((LOUD, "--to", "openwakeword"), "kwsd: loud.pt has no second stage"),
        ((LOUD, "--to", "onnx", "--threshold", "0.9"), "kwsd: --threshold is for openwakeword"),
        (("alexa", "--to", "openwakeword", "--threshold", "0"), "'--threshold'"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: tuple[str | Path, ...],
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert reason in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "tflite"])
def test_a_missing_package_is_named_by_its_extra(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    assert run("alexa", "--to", "openwakeword") == 2
    assert "pip install '.[export]' in the folder" in capsys.readouterr().err
