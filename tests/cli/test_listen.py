"""The installed command on files and pipes."""

import json
import os
import pty
import select
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from harness import KWSD, LOUD, PATIENCE, Spoken


def run(*options: str | Path, **how: Any) -> "subprocess.CompletedProcess[str]":
    """Run ``kwsd listen`` to its end."""
    how = {"stdin": subprocess.DEVNULL, "text": True, "timeout": PATIENCE} | how
    return subprocess.run([KWSD, "listen", *options], capture_output=True, check=False, **how)


def piped(*options: str | Path) -> "subprocess.Popen[bytes]":
    """Start ``kwsd listen`` on a pipe."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0}
    return subprocess.Popen([KWSD, "listen", "--input", "-", *options], **pipes)


def test_hears_the_word_in_a_file_and_runs_the_hooks(spoken: Spoken, tmp_path: Path) -> None:
    facts = "$KWSD_KEYWORD $KWSD_POSTERIOR $KWSD_STREAM_TIME $KWSD_TIME"
    hooks = ("--on-trigger", f'echo "{facts}|$(cat)" >> {tmp_path}/heard', "--on-trigger", "echo hooked")
    done = run("--model", spoken.model, "--input", spoken.path, *hooks)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events
    assert {event["keyword"] for event in events} == {spoken.keyword}
    names = {"event", "keyword", "posterior", "stream_time", "time", "model"}
    assert all(event.keys() == names for event in events)
    heard = [line.split("|") for line in (tmp_path / "heard").read_text().splitlines()]
    times = sorted(json.loads(line)["stream_time"] for _, line in heard)
    assert times == [event["stream_time"] for event in events]
    for facts, line in heard:
        event = json.loads(line)
        assert event in events
        keyword, posterior, stream_time, time = facts.split()
        assert keyword == event["keyword"]
        assert float(posterior) == event["posterior"]
        assert float(stream_time) == event["stream_time"]
        assert time == event["time"]
    assert "hooked" in done.stderr  # a hook's words must not end up between the JSON lines


def test_the_shipped_default_fires_where_the_word_is_said_in_the_sample() -> None:
    done = run("--input", Path(__file__).parents[2] / "docs" / "sample.flac")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["stream_time"] for event in events] == pytest.approx([7.56, 13.94], abs=0.1)
    assert {event["keyword"] for event in events} == {"jarvis"}


@pytest.mark.parametrize("form", ["raw", "wav"])
def test_a_pipe_gives_the_events_of_the_file(spoken: Spoken, form: str) -> None:
    """Raw audio, and what arecord writes unless told not to."""
    data = spoken.samples.tobytes() if form == "raw" else spoken.path.read_bytes()
    piped = run("--model", spoken.model, "--input", "-", stdin=None, input=data, text=False)
    filed = run("--model", spoken.model, "--input", spoken.path)
    assert piped.returncode == 0, piped.stderr

    def times(lines: bytes | str) -> list[float]:
        return [json.loads(line)["stream_time"] for line in lines.splitlines()]

    assert times(piped.stdout) == times(filed.stdout) != []


@pytest.mark.parametrize(
    ("rate", "channels", "suffix"), [(44_100, 2, "flac"), (48_000, 1, "ogg"), (8_000, 3, "wav")]
)
def test_any_file_is_heard(loud: Spoken, tmp_path: Path, rate: int, channels: int, suffix: str) -> None:
    path = tmp_path / f"noise.{suffix}"
    noise = np.repeat(0.2 * np.random.default_rng(0).standard_normal((rate, 1)), channels, axis=1)
    soundfile.write(path, np.concatenate((np.zeros((rate, channels)), noise.clip(-1, 1))), rate)
    events = [json.loads(line) for line in run("--model", loud.model, "--input", path).stdout.splitlines()]
    assert [event["keyword"] for event in events] == ["loud"]
    assert 1 <= events[0]["stream_time"] <= 1.3


def test_a_word_at_the_very_end_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "late.wav"
    late = np.zeros(16_000)
    late[-1_200:] = 0.3 * np.random.default_rng(0).standard_normal(1_200)
    soundfile.write(path, late, 16_000)
    assert json.loads(run("--model", LOUD, "--input", path).stdout)["stream_time"] > 0.9


def test_clips_hold_what_was_heard(loud: Spoken, tmp_path: Path) -> None:
    done = run(
        "--model",
        loud.model,
        "--input",
        loud.path,
        "--save-clips",
        tmp_path / "clips",
        "--clip-seconds",
        "0.5",
    )
    end = round(json.loads(done.stdout)["stream_time"] * 16_000)
    (clip,) = (tmp_path / "clips").iterdir()
    saved, rate = soundfile.read(clip, dtype="int16")
    assert rate == 16_000
    np.testing.assert_array_equal(saved, loud.samples[end - 8_000 : end])


def test_what_was_almost_heard_is_kept_and_what_was_heard_is_not(loud: Spoken, tmp_path: Path) -> None:
    """The word's log-odds are 9.6: a threshold of 0.5 is reached, and that of 0.99999, 11.5, almost."""
    folders = ("--save-near-misses", tmp_path / "almost", "--clip-seconds", "1.5")
    heard = run("--model", loud.model, "--input", loud.path, *folders)
    assert heard.stdout
    assert list((tmp_path / "almost").iterdir()) == []
    missed = run("--model", loud.model, "--input", loud.path, "--threshold", "0.99999", *folders)
    assert (missed.returncode, missed.stdout) == (0, "")
    (clip,) = (tmp_path / "almost").iterdir()
    assert clip.name.endswith("-loud.wav")
    saved, _ = soundfile.read(clip, dtype="int16")
    assert np.abs(saved).max() == np.abs(loud.samples).max()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_though_the_pipe_is_silent(number: signal.Signals) -> None:
    with piped("--model", LOUD) as process:
        assert b"listening" in process.stderr.readline()
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_reader_that_leaves_ends_it_quietly(loud: Spoken, form: str) -> None:
    with piped("--model", loud.model, "--format", form) as process:
        process.stdin.write(loud.samples.tobytes())
        assert b"loud" in process.stdout.readline()
        process.stdout.close()
        process.stdin.write(np.tile(loud.samples, 3).tobytes())
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b"kwsd: listening for 'loud' on standard input\n"


def test_a_terminal_is_shown_a_line_and_a_meter(loud: Spoken) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [KWSD, "listen", "--model", loud.model, "--input", loud.path, "--meter"],
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(terminal)
    shown = b""
    while select.select([controller], [], [], PATIENCE)[0]:
        try:
            shown += os.read(controller, 65536)
        except OSError:  # EIO: the other side is closed
            break
    os.close(controller)
    assert process.wait(PATIENCE) == 0, shown
    assert b"loud\x1b[0m  posterior 0.999" in shown
    assert b"level" in shown
    assert b"{" not in shown


def test_a_mistake_is_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no audio")
    mistakes: list[tuple[int, str, tuple[str | Path, ...]]] = [
        (2, "there is no file 'nosuch.wav'", ("--input", "nosuch.wav")),
        (2, "it is a folder", ("--input", tmp_path)),
        (1, "text.wav' as audio", ("--input", tmp_path / "text.wav")),
        (2, "--device and --input exclude each other", ("--input", "-", "--device", "1")),
        (2, "--meter needs a terminal", ("--input", "-", "--meter")),
        (2, "nosuch", ("--input", "-", "--model", "nosuch")),
        (1, "there.pt", ("--input", "-", "--model", tmp_path / "not/there.pt")),  # not there yet, perhaps
        (2, "a folder", ("--input", "-", "--model", tmp_path)),
        (1, "cannot make the folder", ("--input", "-", "--save-clips", "/proc/clips")),
        (2, "cannot make the folder", ("--input", "-", "--save-clips", tmp_path / "text.wav")),
        (2, "larger than the limit", ("--input", "-", "--save-clips", tmp_path, "--clips-limit", "0.001")),
    ]
    for code, says, options in mistakes:
        done = run("--model", LOUD, *options)
        assert done.returncode == code, done.stderr
        assert done.stderr.startswith("kwsd: ")
        assert done.stderr.count("\n") == 1
        assert says in done.stderr


def close_standard_input() -> None:
    os.close(0)


def test_standard_input_that_is_no_audio_is_one_line() -> None:
    controller, terminal = pty.openpty()
    stereo = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x44\xac\0\0\0\0\0\0\x04\0\x10\0data\0\0\0\0"
    given: list[tuple[str, dict[str, Any]]] = [
        ("is a terminal", {"stdin": terminal}),
        ("is closed", {"preexec_fn": close_standard_input}),
        ("is a WAV of 44100 Hz, 2 channels, 16 bits", {"stdin": None, "input": stereo, "text": False}),
    ]
    for says, how in given:
        done = run("--model", LOUD, "--input", "-", **how)
        error = done.stderr if isinstance(done.stderr, str) else done.stderr.decode()
        assert done.returncode == 2
        assert says in error.splitlines()[-1]
        assert "arecord -t raw -f S16_LE -r 16000 -c 1 | kwsd listen --input -" in error
        assert "Traceback" not in error
    os.close(controller)
    os.close(terminal)
