"""`kwsd score`: every step of a recording, in text and as a picture."""

import csv
import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from harness import KWSD, Spoken

from kwsd.training.workflows.score import joined


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([KWSD, "score", *map(str, arguments)], capture_output=True, text=True, check=False)


def test_steps_and_triggers_agree_with_listen(spoken: Spoken) -> None:
    scored = run(spoken.path, "--model", spoken.model, "--format", "jsonl")
    assert scored.returncode == 0, scored.stderr
    rows = [json.loads(line) for line in scored.stdout.splitlines()]
    triggers = [(row["stream_time"], row["verified"] or row["posterior"]) for row in rows if row["trigger"]]
    listened = subprocess.run(
        [KWSD, "listen", "--model", spoken.model, "--input", spoken.path, "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    events = [json.loads(line) for line in listened.stdout.splitlines()]
    assert triggers
    for trigger, event in zip(triggers, events, strict=True):
        assert trigger == pytest.approx((event["stream_time"], event["posterior"]), abs=1e-3)


def test_csv_has_a_row_every_step(spoken: Spoken) -> None:
    scored = run(spoken.path, "--model", spoken.model, "--window", 20, "--step", 8)
    rows = list(csv.DictReader(scored.stdout.splitlines()))
    for row, following in itertools.pairwise(rows):
        if row["trigger"] == "False":  # a trigger resets the engine, which then fills its receptive field
            assert float(following["stream_time"]) - float(row["stream_time"]) == pytest.approx(0.08)
    assert all(0 <= float(row["posterior"]) <= 1 for row in rows)


def test_several_files_are_heard_as_one(spoken: Spoken) -> None:
    once = run(spoken.path, "--model", spoken.model).stdout.splitlines()
    twice = run(spoken.path, spoken.path, "--model", spoken.model).stdout.splitlines()
    assert len(twice) > len(once) * 1.5


def test_the_picture_is_drawn(spoken: Spoken, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "score.png"
    scored = run(spoken.path, "--model", spoken.model, "--beside", 8, 5, "--plot", picture)
    assert (scored.returncode, scored.stdout) == (0, ""), scored.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_drawn_is_named(spoken: Spoken, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    scored = run(spoken.path, "--model", spoken.model, "--plot", tmp_path / "score.nosuch")
    assert scored.returncode == 2
    assert "score.nosuch" in scored.stderr
    assert len(scored.stderr.splitlines()) == 1


def test_what_cannot_be_scored_is_named(tmp_path: Path) -> None:
    scored = run(tmp_path / "none.wav")
    assert scored.returncode == 2
    assert "none.wav" in scored.stderr
    assert "Traceback" not in scored.stderr


def test_a_long_recording_is_heard_in_small_pieces(tmp_path: Path) -> None:
    """So memory does not grow with its length: 2.1 GB for three hours, once."""
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 44_100, 1) as file:
        for _ in range(600):
            file.write(np.zeros(44_100, np.int16))
    lengths = [len(chunk) for _, chunk in joined([tmp_path / "long.flac"], None)]
    assert sum(lengths) == pytest.approx(600.5 * 16_000, abs=1)
    assert max(lengths) <= 16_000


def test_a_channel_is_scored(spoken: Spoken, tmp_path: Path) -> None:
    samples = spoken.samples
    soundfile.write(tmp_path / "two.wav", np.stack((-samples, samples), axis=1), 16_000)
    once = run(spoken.path, "--model", spoken.model).stdout
    assert run(tmp_path / "two.wav", "--model", spoken.model, "--channel", 2).stdout == once
    mean = run(tmp_path / "two.wav", "--model", spoken.model)
    assert mean.stdout != once
    assert "cancel each other out (one is inverted), and kwsd listens to their mean" in mean.stderr
    refused = run(tmp_path / "two.wav", "--channel", 3)
    assert (refused.returncode, refused.stdout) == (2, "")


def test_all_files_are_looked_at_before_the_first_is_heard(spoken: Spoken, tmp_path: Path) -> None:
    scored = run(spoken.path, tmp_path / "none.wav")
    assert (scored.returncode, scored.stdout) == (2, "")
