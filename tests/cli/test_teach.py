"""The installed kwsd teach, on real recordings and on a microphone."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from harness import KWSD, PATIENCE, FakeMicrophone

from kwsd.runtime.modelfile import find_model, read_model

SAMPLE = Path(__file__).parents[2] / "docs" / "sample.flac"  # says "jarvis", which ends at 7.5 and 13.9 s


def run(*words: str | Path, **how: Any) -> "subprocess.CompletedProcess[str]":
    how = {"stdin": subprocess.DEVNULL, "timeout": 4 * PATIENCE} | how
    return subprocess.run([KWSD, *words], capture_output=True, check=False, text=True, **how)


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people saying "jarvis", twice each."""
    folder = tmp_path_factory.mktemp("takes")
    audio, rate = soundfile.read(SAMPLE)
    for name, end, level in (("a", 7.7, 1.0), ("b", 14.1, 1.0), ("c", 7.7, 0.4), ("d", 14.1, 0.4)):
        soundfile.write(
            folder / f"{name}.wav", level * audio[round((end - 1.4) * rate) : round(end * rate)], rate
        )
    return folder


def test_a_taught_model_hears_its_word_and_the_original_stays(takes: Path, tmp_path: Path) -> None:
    before = find_model("jarvis").read_bytes()
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['torch'] = None\n")
    without_torch = os.environ | {"PYTHONPATH": str(tmp_path)}
    line = ("teach", "jarvis", "--recordings", takes, "--speech", SAMPLE.parent)
    done = run(*line, cwd=tmp_path, env=without_torch)
    assert done.returncode == 0, done.stderr
    assert "of 4 recordings, each left out in turn: " in done.stdout
    assert "h of speech: 2 before, 2 now" in done.stdout
    assert "jarvis-taught.pt is ready: kwsd listen jarvis-taught\n" in done.stdout
    taught, original = read_model(tmp_path / "jarvis-taught.pt"), read_model(find_model("jarvis"))
    assert taught.facts["taught"]["recordings"] == 4
    assert taught.settings.threshold == original.settings.threshold
    assert find_model("jarvis").read_bytes() == before
    heard = run("listen", "jarvis-taught.pt", "--input", SAMPLE, cwd=tmp_path)
    events = [json.loads(line) for line in heard.stdout.splitlines()]
    assert [event["stream_time"] for event in events] == pytest.approx([7.56, 13.94], abs=0.2)
    again = run("teach", "jarvis-taught.pt", "--recordings", takes, cwd=tmp_path)
    assert (again.returncode, "taught already; teach the original" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("teacher",), "teacher.pt has no second stage"),
        (("jarvis", "--recordings", "few"), "2 recordings of 'jarvis' are too few; at least 3 are needed"),
        (
            ("own.pt", "--recordings", "few", "--out", "own.pt"),
            "own.pt is the model itself; give another name",
        ),
        (("jarvis", "--recordings", "missing"), "no such folder"),
    ],
)
def test_what_cannot_be_taught_is_said_in_a_line(
    words: tuple[str, ...], said: str, takes: Path, tmp_path: Path
) -> None:
    (tmp_path / "few").mkdir()
    for name in ("a", "b"):
        (tmp_path / "few" / f"{name}.wav").write_bytes((takes / f"{name}.wav").read_bytes())
    (tmp_path / "own.pt").write_bytes(find_model("jarvis").read_bytes())
    done = run("teach", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert not list(tmp_path.glob("*-taught.pt"))


@pytest.mark.microphone
def test_the_word_is_recorded_from_a_microphone(microphone: FakeMicrophone, tmp_path: Path) -> None:
    audio, rate = soundfile.read(SAMPLE)
    word = np.concatenate(
        [np.zeros(rate // 2), audio[round(6.7 * rate) : round(7.6 * rate)], np.zeros(rate // 2)]
    )
    soundfile.write(tmp_path / "word.wav", word, rate)
    with subprocess.Popen(
        [KWSD, "teach", "jarvis", "--count", "3", "--keep", "mine", "--no-play"],
        env=microphone.environment | {"PYTHONUNBUFFERED": "1"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = []
        for line in process.stdout:
            printed.append(line)
            if "say it now" in line:
                microphone.play(tmp_path / "word.wav")
    assert process.wait(PATIENCE) == 0, printed
    assert len(list((tmp_path / "mine").glob("*.wav"))) == 3
    assert "3 recordings were added to mine\n" in printed
    assert (tmp_path / "jarvis-taught.pt").is_file()
