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


def test_another_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kwsd.training.synthesis.lexicon.COMMON_WORDS", 100)
    counts = ["--count", "1", "--near-misses", "0", "--sentences", "0", "--jobs", "1"]
    assert run("Kessel", "--language", "de", *counts, "--out", str(tmp_path)) == 0
    assert "1 clips made" in " ".join(capsys.readouterr().out.split())
    assert run("Kessel", *counts, "--out", str(tmp_path)) == 2
    assert "holds clips in another language (de, en)" in " ".join(capsys.readouterr().err.split())


def test_unknown_language(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("kettle", "--language", "xx", "--out", str(tmp_path)) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "'xx' is not one of 'en', 'de', 'es', 'fr', 'it', 'nl', 'pt'" in line
