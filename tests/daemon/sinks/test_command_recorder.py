"""What is cut out of the stream as a command, with a speech detector that is told what is speech."""

import io
import sys
import wave
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.daemon.events import CommandEvent, Event
from kwsd.daemon.sinks import command_recorder, speech
from kwsd.daemon.sinks.clip_folder import ClipFolder
from kwsd.daemon.sinks.command_recorder import CommandRecorder
from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, Int16, to_float32

TIME = datetime(2030, 1, 2, tzinfo=UTC)
LOUD, QUIET = 10_000, 10  # samples that are speech, and that are not


class Ears:
    """Takes loud samples for speech, without a delay."""

    def push(self, frame: Int16) -> bool:
        assert frame.shape == (speech.FRAME,)
        return bool(frame.max() > 1_000)


class Runner:
    """Keeps what it is to run."""

    def __init__(self) -> None:
        self.started: list[tuple[str, dict[str, str], Int16]] = []

    def start(self, command: str, environment: dict[str, str], content: bytes) -> None:
        with wave.open(io.BytesIO(content)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        self.started.append((command, environment, samples))


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(command_recorder, "SpeechDetector", Ears)
        patch.setattr(command_recorder, "HANGOVER", 0.0)
        patch.setattr(command_recorder, "KEYWORD_SECONDS", 0.2)
        yield


def audio(*parts: tuple[float, int]) -> Int16:
    """Seconds of each level; every sample tells its place."""
    joined = np.concatenate([np.full(round(seconds * SAMPLE_RATE), level) for seconds, level in parts])
    return (joined + np.arange(len(joined)) % 100).astype(np.int16)


def event(stream_time: float) -> Event:
    return Event("word", 0.9, stream_time, TIME + timedelta(seconds=stream_time), "word.pt")


def capturing(**options: Any) -> tuple[CommandRecorder, Runner, list[CommandEvent]]:
    runner, reported = Runner(), list[CommandEvent]()
    options = {"pre_roll": 0.3, "silence": 0.8, "longest": 15.0} | options
    return CommandRecorder({"word": ["x"]}, runner, reported.append, **options), runner, reported  # type: ignore[arg-type]


def hear(
    sink: CommandRecorder, samples: Int16, triggers: tuple[float, ...], size: int = 3_200, at: int = 0
) -> None:
    """Give a stream to the sink, in chunks; each trigger comes with the chunk that holds it."""
    for start in range(0, len(samples), size):
        chunk = samples[start : start + size]
        sink.on_audio(to_float32(chunk), 0.0)
        for time in triggers:
            if at + start < time * SAMPLE_RATE <= at + start + len(chunk):
                sink.on_trigger(event(time))


QUESTION = audio((2, QUIET), (0.5, LOUD), (1, QUIET), (2, LOUD), (0.5, QUIET), (1, LOUD), (3, QUIET))


@settings(max_examples=20)
@given(size=st.integers(100, 40_000))
def test_the_command_is_cut_out_to_the_sample(size: int) -> None:
    """The word ends at 2.5 s; speech is from 3.5 to 7 s with a pause of 0.5 s. Chunks make no difference."""
    sink, runner, reported = capturing()
    hear(sink, QUESTION, (2.5,), size)
    ((command, environment, samples),) = runner.started
    assert command == "x"
    assert environment["KWSD_KEYWORD"] == "word"
    assert "KWSD_COMMAND_FILE" not in environment
    (found,) = reported
    assert (found.keyword, found.ended, found.start) == ("word", "silence", pytest.approx(2.2))
    assert found.end == pytest.approx(7.8, abs=0.011)
    assert found.time == TIME + timedelta(seconds=2.2)
    end = round(found.end * SAMPLE_RATE)
    np.testing.assert_array_equal(samples, QUESTION[round(2.2 * SAMPLE_RATE) : end])


@pytest.mark.parametrize(
    ("options", "start", "end", "ended"),
    [
        ({"silence": 0.3}, 2.2, 5.8, "silence"),  # the pause within the command
        ({"pre_roll": 1.0}, 1.5, 7.8, "silence"),
        ({"pre_roll": 10.0}, 0.0, 7.8, "silence"),  # more than there was
        ({"longest": 2.0}, 2.2, 4.5, "limit"),
    ],
)
def test_its_bounds_are_options(options: dict[str, float], start: float, end: float, ended: str) -> None:
    sink, runner, (*reported,) = capturing(**options)
    sink._report = reported.append
    hear(sink, QUESTION, (2.5,))
    assert [(one.start, one.end, one.ended) for one in reported] == [
        (pytest.approx(start), pytest.approx(end, abs=0.011), ended)
    ]
    assert len(runner.started) == 1


def test_when_nothing_is_said_nothing_is_run() -> None:
    sink, runner, reported = capturing()
    hear(sink, audio((2, QUIET), (0.6, LOUD), (8, QUIET)), (2.5,))  # the word's last sound is not speech
    assert [(one.end, one.ended) for one in reported] == [(pytest.approx(5.5, abs=0.011), "nothing said")]
    assert runner.started == []


def test_other_words_and_triggers_within_a_command_begin_none() -> None:
    sink, runner, reported = capturing()
    sink.on_trigger(Event("other", 0.9, 0.0, TIME, "other.pt"))
    hear(sink, QUESTION, (2.5, 4.0, 6.0))
    assert len(runner.started) == 1
    assert [one.start for one in reported] == [pytest.approx(2.2)]


def test_one_command_follows_another() -> None:
    sink, runner, reported = capturing()
    hear(sink, np.concatenate((QUESTION, QUESTION)), (2.5, 12.5))
    assert [round(one.start, 2) for one in reported] == [2.2, 12.2]
    assert len(runner.started[0][2]) == pytest.approx(len(runner.started[1][2]), abs=160)


@pytest.mark.parametrize(("seconds", "run"), [(3.0, 0), (4.5, 1)])
def test_missing_audio_and_the_end_of_the_stream_end_it(seconds: float, run: int) -> None:
    """If something was said by then, the commands get it."""
    for ended in ("end", "gap"):
        sink, runner, reported = capturing()
        hear(sink, QUESTION[: round(seconds * SAMPLE_RATE)], (2.5,))
        if ended == "gap":
            sink.on_gap(5.0)
        else:
            sink.on_end()
        assert [(one.end, one.ended) for one in reported] == [(pytest.approx(seconds), ended)]
        assert len(runner.started) == run
    at = round((seconds + 5) * SAMPLE_RATE)
    hear(sink, QUESTION, (seconds + 7.5,), at=at)
    assert reported[-1].start == pytest.approx(seconds + 7.2)
    assert reported[-1].ended == "silence"


def test_it_is_saved_before_its_commands_run(tmp_path: Path) -> None:
    folder = ClipFolder(tmp_path, 15.3, 10_000_000, live=False)
    sink, runner, _ = capturing(folder=folder)
    with sink:
        hear(sink, QUESTION, (2.5,))
        sink.on_end()
    ((_, environment, samples),) = runner.started
    (path,) = tmp_path.iterdir()
    assert path.name == "kwsd-20300102T000002.200000Z-word-command.wav"
    assert environment["KWSD_COMMAND_FILE"] == str(path)
    assert path.stat().st_size == 44 + 2 * len(samples)


def test_one_that_cannot_be_saved_is_run_all_the_same(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    sink, runner, _ = capturing(folder=ClipFolder(clips, 15.3, 10_000_000, live=False))
    clips.rmdir()
    clips.write_text("in the way")
    with sink:
        hear(sink, QUESTION, (2.5,))
        sink.on_end()
    ((_, environment, _),) = runner.started
    assert "KWSD_COMMAND_FILE" not in environment


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymicro_vad", None)
    with pytest.raises(UsageError, match="pip install pymicro-vad"):
        speech.check_installed()
