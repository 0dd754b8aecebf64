"""``kwsd synthesize`` from the command line."""

from pathlib import Path

import pytest

from kwsd.cli import main

pytest.importorskip("espeakng_loader", reason="needs espeak-ng: pip install 'kwsd[synth]'")


def run(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["synthesize", *args])
    return int(ended.value.code or 0)


def test_makes_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = ["--count", "3", "--near-misses", "2", "--sentences", "1"]
    args = ["kettle", *counts, "--jobs", "1", "--out", str(tmp_path)]
    assert run(*args) == 0
    first = capsys.readouterr().out
    assert "kokoro is not used" in first
    assert "6 clips made, 0 already there" in " ".join(first.split())
    assert len(list(tmp_path.rglob("*.flac"))) == 6
    assert run(*args) == 0
    assert "0 clips made, 6 already there" in " ".join(capsys.readouterr().out.split())


def test_kokoro_folder_without_voices(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("hibari", reason="kokoro needs hibari's alphabet")
    assert run("kettle", "--out", str(tmp_path / "out"), "--kokoro", str(tmp_path)) == 2
    assert "no voice styles" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_keyword_nobody_can_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("?!", "--out", str(tmp_path)) == 2
    assert capsys.readouterr().err.startswith("kwsd: '?!' has no English pronunciation")
