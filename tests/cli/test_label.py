"""The installed kwsd label, on a pipe and in a terminal."""

import os
import pty
import subprocess
import termios
from pathlib import Path

import numpy as np
import pytest
import soundfile
from harness import KWSD, PATIENCE, wait_for


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    for number in range(4):
        soundfile.write(tmp_path / f"{number}.wav", np.full(1_600, 0.1), 16_000)
    (tmp_path / "notes.txt").write_text("not a clip")
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.wav"))


def label(folder: Path, typed: str) -> "subprocess.CompletedProcess[str]":
    line = [KWSD, "label", folder, "--no-play"]
    return subprocess.run(line, input=typed, capture_output=True, check=False, text=True, timeout=PATIENCE)


def test_answers_from_a_pipe_sort_the_clips(clips: Path) -> None:
    done = label(clips, "y\nwhat\nN\ns\n")
    assert done.returncode == 0, done.stderr
    assert (names(clips / "yes"), names(clips / "no"), names(clips)) == (
        ["0.wav"],
        ["1.wav"],
        ["2.wav", "3.wav"],
    )
    assert str(clips / "0.wav") in done.stdout
    assert done.stdout.splitlines()[-1] == "1 are the word, 1 are not, 2 are left"
    again = label(clips, "q\n")
    assert again.stdout.splitlines()[-1] == "0 are the word, 0 are not, 2 are left"


def test_keys_in_a_terminal_do_and_ctrl_c_keeps_what_was_sorted(clips: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [KWSD, "label", clips, "--no-play"], stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    shown = b""
    for key in (b"y", b"n", b"\x03"):
        while shown.count(b"Is it the word?") < 1:
            shown += os.read(controller, 4_096)
        shown = b""
        # keys that come before the terminal gives single ones are dropped
        wait_for("single keys", lambda: not termios.tcgetattr(controller)[3] & termios.ICANON)
        os.write(controller, key)
    while b"left" not in shown:
        shown += os.read(controller, 4_096)
    assert process.wait(PATIENCE) == 130
    os.close(controller)
    assert b"1 are the word, 1 are not, 2 are left" in shown
    assert (names(clips / "yes"), names(clips / "no"), names(clips)) == (
        ["0.wav"],
        ["1.wav"],
        ["2.wav", "3.wav"],
    )


@pytest.mark.parametrize(
    ("prepare", "said"),
    [("nothing", "has no clips to label"), ("taken", "0.wav exists"), ("missing", "no such folder")],
)
def test_what_cannot_be_sorted_is_said_in_a_line(clips: Path, prepare: str, said: str) -> None:
    folder = clips
    if prepare == "nothing":
        (folder := clips / "empty").mkdir()
    elif prepare == "missing":
        folder = clips / "missing"
    else:
        (clips / "yes").mkdir()
        (clips / "yes" / "0.wav").write_text("kept")
    done = label(folder, "y\n")
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
