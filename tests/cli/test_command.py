"""The command after the word, as installed, with the real speech detector."""

import json
import os
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import KWSD, PATIENCE, Daemon, FakeMicrophone, Spoken, speak, wait_for

pytest.importorskip("pymicro_vad", reason="pymicro-vad (kwsd[command]) is not installed")
SAMPLE_RATE = 16_000


@pytest.fixture(scope="session")
def question(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    """Somebody says "happy" and, after 0.4 s, somebody else orders a coffee. Then it is quiet."""
    soundfile = pytest.importorskip("soundfile")
    happy = sorted((recordings / "speech_commands_v0.01/happy").iterdir())[5]
    order = sorted((recordings / "continuous_speech").glob("*.flac"))[0]
    word, sentence = (soundfile.read(path)[0] for path in (happy, order))
    rng = np.random.default_rng(0)
    loud = np.flatnonzero(abs(sentence) > 0.05 * abs(sentence).max())
    sentence = sentence[loud[0] : loud[-1]]
    joined = np.concatenate((word, np.zeros(SAMPLE_RATE * 2 // 5), sentence, np.zeros(2 * SAMPLE_RATE)))
    joined += rng.normal(0, 1e-3, len(joined))  # the room
    return speak("happy", "happy", [joined], tmp_path_factory.mktemp("question"))


def listen(*options: str | Path, **how: Any) -> tuple[list[dict[str, Any]], str]:
    """The events, and the log."""
    done = subprocess.run(
        [KWSD, "listen", "--format", "json", *options],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        **how,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def samples(path: Path) -> "np.ndarray[Any, np.dtype[np.int16]]":
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


@pytest.mark.parametrize("way", ["file", "pipe"])
def test_the_whole_sentence_arrives(question: Spoken, tmp_path: Path, way: str) -> None:
    got, saved = tmp_path / "got.wav", tmp_path / "saved"
    options = ["--on-command", f"cat > {got}; cmp {got} $KWSD_COMMAND_FILE", "--save-commands", saved]
    if way == "file":
        events, log = listen("happy", "--input", question.path, *options)
    else:
        events, log = listen("happy", "--input", "-", *options, input=question.samples.tobytes())
    (trigger,) = (event for event in events if event["event"] == "trigger")
    (command,) = (event for event in events if event["event"] == "command")
    assert command["keyword"] == "happy"
    assert command["ended"] == "silence"
    assert command["start"] == pytest.approx(trigger["stream_time"] - 0.3)
    start, end = (round(command[name] * SAMPLE_RATE) for name in ("start", "end"))
    np.testing.assert_array_equal(samples(got), question.samples[start:end])
    last = len(question.samples) - 3 * SAMPLE_RATE  # the end of the sentence
    assert last < end < last + 1.3 * SAMPLE_RATE
    assert "exit code 0" in log
    assert len(list(saved.iterdir())) == 1


def test_a_table_has_its_own_and_the_limit_holds(question: Spoken, tmp_path: Path) -> None:
    got = tmp_path / "got.wav"
    config = tmp_path / "kwsd.toml"
    config.write_text(
        f'max-command = 1.5\n[word.happy]\non-command = ["cat > {got}"]\n[word.jarvis]\nthreshold = 0.9\n'
    )
    events, _ = listen("--config", config, "--input", question.path)
    assert [event.get("ended") for event in events] == [None, "limit"]
    assert len(samples(got)) == 1.8 * SAMPLE_RATE


def test_commands_that_read_late_or_never(question: Spoken, tmp_path: Path) -> None:
    """More is written than a pipe holds."""
    late = tmp_path / "late.wav"
    commands = ("sleep 60", "exec <&-; true", f"sleep 0.3; cat > {late}")
    options = [option for command in commands for option in ("--on-command", command)]
    events, log = listen("happy", "--input", question.path, *options, "--hook-timeout", "2")
    assert len(events) == 2
    assert late.stat().st_size > 70_000
    assert "'exec <&-; true': exit code 0" in log
    assert "hook 'sleep 60' was terminated" in log


def test_the_ding_is_played_for_each_trigger(question: Spoken, tmp_path: Path) -> None:
    """By the first program that can."""
    player = tmp_path / "paplay"
    player.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/played\n')
    player.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    listen("happy", "--input", question.path, "--ding", "builtin", env=environment)
    (played,) = (tmp_path / "played").read_text().splitlines()
    with wave.open(played) as sound:
        assert 0.1 < sound.getnframes() / sound.getframerate() < 0.5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--ding", "none.wav"), "there is no sound 'none.wav'; give a WAV file, or --ding builtin"),
        (("--on-command", " "), "must not be empty"),
        (("--on-command", "cat", "--silence", "0"), "0.0 is not in the range"),
        (
            ("--on-command", "cat", "--save-commands", "clips", "--clips-limit", "0.4"),
            "a clip of 15.3 s is larger than the limit of 0.4 MB for all clips",
        ),
    ],
)
def test_mistakes_are_one_line(options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [KWSD, "listen", "--input", "-", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=tmp_path,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.microphone
def test_from_a_microphone(
    question: Spoken,
    microphone: FakeMicrophone,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """With the ding, which is played on the same sound server."""
    start: Callable[..., Daemon] = request.getfixturevalue("listen")
    got = tmp_path / "got.wav"
    daemon = start("happy", "--on-command", f"cat > {got}", "--ding", "builtin")
    microphone.play(question.path)
    assert daemon.event()["event"] == "trigger"
    command = daemon.event()
    assert (command["event"], command["ended"]) == ("command", "silence")
    wait_for("the command to run", lambda: daemon.log().count("exit code 0") == 2)
    assert len(samples(got)) == pytest.approx((command["end"] - command["start"]) * SAMPLE_RATE, abs=32)
    assert command["end"] - command["start"] > 2
    assert daemon.stop()[0] == 0
