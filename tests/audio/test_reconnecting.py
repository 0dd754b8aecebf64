"""Reconnecting to a fake microphone: which chunks are given, and what is logged."""

import gc
import itertools
import logging
import threading
import weakref
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from harness import PATIENCE, wait_for

from kwsd.audio import reconnecting
from kwsd.audio.reconnecting import EMPTY, FIRST_BACKOFF, ReconnectingMicrophone
from kwsd.errors import AbsentError, AudioError, UsageError

SECOND = np.ones(16_000, np.float32)

Chunks = list[np.ndarray | str | None]
Script = list[Exception | Chunks]


class Microphone:
    """Gives chunks and is gone. A text among them is why there is no audio for a moment."""

    overruns = 1
    dropped = 0.5
    backlog = 0.0
    waiting = ""
    muted = ""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[np.ndarray]:
        for chunk in self._chunks:
            if chunk is None:  # another microphone is to be opened
                return
            self.waiting = chunk if isinstance(chunk, str) else ""
            yield EMPTY.samples if isinstance(chunk, str) else chunk
        raise AudioError("gone?")

    def close(self) -> None: ...

    def stop(self) -> None: ...


class Opener:
    """Opens microphones, or does not, as the script says."""

    name = "desk"
    max_backoff = 10.0
    script: Script
    opens: type[Microphone] = Microphone

    def __init__(self, device: str | None, channel: int | None, latency: float) -> None: ...

    def open(self) -> Microphone:
        given = self.script.pop(0)
        if isinstance(given, Exception):
            raise given
        return self.opens(given)

    def abandon(self) -> None: ...


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Plays the opener and the clock; where it waited, and for how long, is in the list, and 0 for a try."""
    slept: list[float] = []

    class OpenAttempt(reconnecting.OpenAttempt):
        def __init__(self, open_: Callable[[], reconnecting.Microphone]) -> None:
            slept.append(0.0)
            super().__init__(open_)

    monkeypatch.setattr(reconnecting, "opener", Opener)
    monkeypatch.setattr(reconnecting, "OpenAttempt", OpenAttempt)
    monkeypatch.setattr(reconnecting.time, "sleep", slept.append)
    return slept


def connect(monkeypatch: pytest.MonkeyPatch, script: Script, **options: bool) -> ReconnectingMicrophone:
    monkeypatch.setattr(Opener, "script", script, raising=False)
    return ReconnectingMicrophone("des", **options)


def heard(source: ReconnectingMicrophone, count: int) -> list[np.ndarray]:
    """The first chunks that hold audio."""
    return list(itertools.islice((chunk.samples for chunk in source if len(chunk.samples)), count))


def test_pauses_grow_and_each_reason_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    gone: Script = [AbsentError("not there"), *[AudioError("busy")] * 5]
    source = connect(monkeypatch, [[SECOND], *gone, [SECOND, SECOND]])
    with caplog.at_level(logging.INFO):
        assert len(heard(source, 3)) == 3
    tries = [list(group) for ends, group in itertools.groupby(pauses, lambda t: t == 0) if not ends]
    assert [sum(each) for each in tries] == [FIRST_BACKOFF, 1, 2, 4, 8, 10, 10]
    assert [record.getMessage()[:30] for record in caplog.records] == [
        "gone? waiting for it",
        "busy; waiting for it",
        "reconnected to the microphone ",
    ]
    assert (source.overruns, source.dropped) == (2, 1.0)


def test_the_gap_is_told_with_the_first_chunk_alone(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(reconnecting.time, "monotonic", lambda: sum(pauses))
    source = connect(monkeypatch, [[SECOND], [SECOND, SECOND]])
    assert [(len(chunk.samples), chunk.gap) for chunk in itertools.islice(source, 5)] == [
        (16_000, 0),
        (0, 0),
        (0, 0),
        (16_000, FIRST_BACKOFF),
        (16_000, 0),
    ]


@pytest.mark.usefixtures("pauses")
def test_a_lost_microphone_is_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cycle(Microphone):
        """As a stream of sounddevice is: it holds itself, through its callback."""

        def __init__(self, chunks: Chunks) -> None:
            super().__init__(chunks)
            self.itself = self
            alive.add(self)

    alive: weakref.WeakSet[Cycle] = weakref.WeakSet()
    monkeypatch.setattr(Opener, "opens", Cycle)
    monkeypatch.setattr(reconnecting.log, "disabled", True)  # pytest keeps logged errors and their frames
    source = connect(monkeypatch, [[SECOND]] * 20)
    gc.disable()  # it would come of its own accord, some day
    try:
        heard(source, 20)
    finally:
        gc.enable()
    assert len(alive) == 1


@pytest.mark.usefixtures("pauses")
def test_what_is_not_there_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(heard(connect(monkeypatch, [AudioError("none"), [SECOND]]), 1)) == 1
    assert len(heard(connect(monkeypatch, [UsageError("no such"), [SECOND]], wait_for_device=True), 1)) == 1
    with pytest.raises(UsageError):
        connect(monkeypatch, [UsageError("no such")])
    with pytest.raises(AudioError):
        connect(monkeypatch, [AudioError("none")], exit_on_loss=True)


@pytest.mark.usefixtures("pauses")
def test_digital_silence_is_told_of_once_until_sound_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    silence = [0 * SECOND]
    source = connect(monkeypatch, [silence * 59 + [SECOND] + silence * 200 + [SECOND] + silence * 60])
    chunks = (chunk for chunk in source if len(chunk.samples))
    for seconds, told in ((59 + 1 + 59, 0), (1, 1), (140, 1), (1 + 59, 1), (1, 2)):
        for _ in range(seconds):
            next(chunks)
        assert caplog.text.count("zeros") == told


def test_what_takes_the_place_of_another_is_opened_at_once(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    source = connect(monkeypatch, [[SECOND, None], [SECOND]])
    assert [chunk.gap > 0 for chunk in itertools.islice(source, 2)] == [False, True]
    assert pauses == [0, 0]


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("error", [AudioError("busy"), AbsentError("none"), UsageError("several")])
def test_what_cannot_be_opened_in_place_of_another_is_a_loss(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source = connect(monkeypatch, [[SECOND, None], error, [SECOND]], exit_on_loss=True)
    with pytest.raises(type(error), match=str(error)):
        heard(source, 2)


@pytest.mark.usefixtures("pauses")
def test_an_audio_system_that_hangs_in_place_of_another_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnecting, "OPEN_TIMEOUT", 0.01)
    monkeypatch.setattr(reconnecting, "POLL_INTERVAL", 0.01)
    source = connect(monkeypatch, [[SECOND, None]], exit_on_loss=True)
    answers = threading.Event()
    monkeypatch.setattr(Opener, "open", lambda _: answers.wait(PATIENCE))
    with pytest.raises(AudioError, match="has not answered"):
        heard(source, 2)
    answers.set()


@pytest.mark.usefixtures("pauses")
def test_why_an_open_microphone_gives_no_audio_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = connect(monkeypatch, [[SECOND, "it is suspended", "it is suspended", SECOND, SECOND]])
    with caplog.at_level(logging.INFO):
        given = [(source.waiting, len(chunk.samples), chunk.gap > 0) for chunk in itertools.islice(source, 5)]
    assert given == [
        ("", 16_000, False),
        ("it is suspended", 0, False),
        ("it is suspended", 0, False),
        ("", 16_000, True),
        ("", 16_000, False),
    ]
    assert [record.getMessage()[:30] for record in caplog.records] == [
        "it is suspended; waiting for it"[:30],
        "reconnected to the microphone ",
    ]


@pytest.mark.usefixtures("pauses")
def test_a_microphone_that_comes_late_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    source = connect(monkeypatch, [AudioError("none"), [SECOND]])
    assert source.waiting == "waiting for microphone desk"
    with caplog.at_level(logging.INFO):
        heard(source, 1)
    assert caplog.messages == ["none; waiting for it", "connected to the microphone 'desk'"]


@pytest.mark.parametrize("starts", [True, False])
def test_an_audio_system_that_does_not_answer_is_reported_and_left(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], caplog: pytest.LogCaptureFixture, starts: bool
) -> None:
    def hang(_: Chunks) -> Microphone:
        answers.wait(PATIENCE)
        return Microphone([SECOND])

    answers = threading.Event()
    monkeypatch.setattr(reconnecting, "OPEN_TIMEOUT", 0.01)
    monkeypatch.setattr(reconnecting, "POLL_INTERVAL", 0.01)
    if starts:
        monkeypatch.setattr(Opener, "opens", staticmethod(hang))
    source = connect(monkeypatch, [[SECOND], []])
    chunks = iter(source)
    if not starts:
        assert len(next(chunks).samples)
        monkeypatch.setattr(Opener, "opens", staticmethod(hang))
    wait_for("the line", lambda: not len(next(chunks).samples) and "has not answered" in caplog.text)
    answers.set()
    assert len(heard(source, 1)) == 1
    assert pauses.count(0) == 2 - starts
    source.stop()
    assert list(chunks) == []
