"""The loop on sources made up for it: what is live, missing or loaded anew."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
from harness import LOUD, PATIENCE, wait_for
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd import Detector
from kwsd.audio.source import Chunk, Recorded
from kwsd.daemon.control import requests as control
from kwsd.daemon.control.requests import ControlRequests
from kwsd.daemon.events import Event
from kwsd.daemon.listener import Listener
from kwsd.daemon.pause import Pause
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.systemd.notify import Notifier
from kwsd.errors import ModelError
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.modelfile import read_model

LOADED = read_model(LOUD)
NOTHING = np.zeros(0, np.float32)


class Chunks(Recorded):
    """Gives what it is told to; None is a gap of a second."""

    name = "chunks"

    def __init__(self, chunks: list[Samples | None], live: bool = False, backlog: float = 0.0) -> None:
        self._chunks = chunks
        self.live = live
        self.backlog = backlog

    def __enter__(self) -> "Chunks":
        return self

    def __exit__(self, *exception: object) -> None: ...

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            yield Chunk(NOTHING, gap=1.0) if chunk is None else Chunk(chunk)

    def stop(self) -> None: ...


class Recorder(Sink):
    """Keeps the triggers."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events

    def on_trigger(self, event: Event) -> None:
        self._events.append(event)


def words(count: int) -> Samples:
    """A burst of noise that begins at 2, 4, 6, ... seconds and lasts for half a second."""
    rng = np.random.default_rng(0)
    samples = np.zeros((count + 1, 2 * SAMPLE_RATE), np.float32)
    samples[1:, : SAMPLE_RATE // 2] = rng.normal(0, 0.2, (count, SAMPLE_RATE // 2))
    return samples.ravel()


def cut(samples: Samples, sizes: list[int]) -> list[Samples | None]:
    ends = np.cumsum(np.resize(sizes, len(samples) // min(sizes)))
    return list(np.split(samples, ends[ends < len(samples)]))


def times(listener: Listener, events: list[Event], reload_after: set[int]) -> list[float]:
    """Stream times of the triggers, with a detector loaded anew after these chunks."""
    passed = 0

    def between() -> None:
        nonlocal passed
        if passed in reload_after:
            listener.swap_detector(Detector.load(LOUD))
        passed += 1

    listener.run(between)
    return [event.stream_time for event in events]


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(200, 8_000), min_size=1, max_size=5),
    reload_after=st.sets(st.integers(0, 100), max_size=8),
)
def test_a_reload_loses_no_word_and_hears_none_twice(sizes: list[int], reload_after: set[int]) -> None:
    events: list[Event] = []
    source = Chunks(cut(words(4), sizes))
    listener = Listener(source, Detector.load(LOUD), Notifier(), [Recorder(events)])
    heard = times(listener, events, reload_after)
    assert heard == pytest.approx([2.1, 4.1, 6.1, 8.1], abs=0.15)
    assert listener.counters.triggers == 4


def test_what_is_loaded_takes_over(caplog: pytest.LogCaptureFixture) -> None:
    events: list[Event] = []
    listener = Listener(Chunks(cut(words(2), [1_600])), Detector.load(LOUD), Notifier(), [Recorder(events)])
    deaf = [Detector.load(LOUD, threshold=1.0)]  # this model's posterior stays below 1

    def between() -> None:
        if events and deaf:
            listener.swap_detector(deaf.pop())

    with caplog.at_level(logging.INFO):
        listener.run(between)
    assert len(events) == 1
    assert caplog.messages[1:] == ["loud.pt now listens for 'loud', threshold 1"]


def test_a_threshold_that_changes_just_after_a_reload_holds() -> None:
    """The detector that has been loaded takes over later, and may have a word that the other has not."""
    events: list[Event] = []
    listener = Listener(Chunks(cut(words(4), [1_600])), Detector.load(LOUD), Notifier(), [Recorder(events)])
    both = Detector([replace(LOADED, keyword=keyword) for keyword in ("loud", "shout")])
    found = []

    def between() -> None:
        if len(events) == 1 and not found:
            listener.swap_detector(both)
            found.extend(listener.change_threshold(word, 1.0) for word in ("loud", "shout", "cry"))

    listener.run(between)
    assert found == [True, True, False]
    assert len(events) == 1  # this model's posterior stays below 1
    assert [spotter.settings.threshold for spotter in listener.spotters] == [1.0, 1.0]


def test_stream_time_goes_on_over_a_gap() -> None:
    events: list[Event] = []
    word = words(1)[: 3 * SAMPLE_RATE]
    source = Chunks([word, None, word])
    listener = Listener(source, Detector.load(LOUD), Notifier(), [Recorder(events)])
    listener.swap_detector(Detector.load(LOUD))
    listener.run()
    assert [event.stream_time for event in events] == pytest.approx([2.1, 6.1], abs=0.15)
    assert (listener.counters.gaps, listener.counters.samples) == (1, 6.5 * SAMPLE_RATE)
    assert listener.counters.worst_step > 0


def test_a_live_event_has_the_time_when_it_was_said() -> None:
    """Before the rest of its chunk, 1.9 s, and the 3 s of audio that wait."""
    events: list[Event] = []
    source = Chunks([words(1)], live=True, backlog=3.0)
    Listener(source, Detector.load(LOUD), Notifier(), [Recorder(events)]).run()
    (event,) = events
    age = datetime.now().astimezone() - event.time
    assert age >= timedelta(seconds=4.7)
    assert age < timedelta(seconds=60)


def test_what_cannot_be_loaded_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def load() -> Detector:
        raise ModelError("loud.pt: damaged")

    changes: list[Detector] = []
    told: list[str] = []
    requests = ControlRequests(lambda: told.append("stats"), load, changes.append)
    requests.handle()
    requests.request_reload()
    requests.request_statistics()
    wait_for("the refusal", lambda: (requests.handle(), caplog.messages)[1])
    assert (changes, told) == ([], ["stats"])
    assert caplog.messages == ["reload failed, the previous model stays in use: loud.pt: damaged"]


@pytest.mark.parametrize("error", [RecursionError("too deep"), MemoryError(), RuntimeError("no home")])
def test_whatever_loading_raises_changes_nothing(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def load() -> Detector:
        raise error

    requests = ControlRequests(lambda: None, load, lambda _: pytest.fail("there is no detector"))
    requests.request_reload()
    wait_for("the refusal", lambda: (requests.handle(), caplog.messages)[1])
    (message,) = caplog.messages
    assert message.startswith(f"reload failed, the previous model stays in use: {type(error).__name__}: ")


def test_what_is_asked_for_during_a_reload_is_done_after_it() -> None:
    changes: list[Detector] = []
    go = threading.Event()

    def load() -> Detector:
        assert go.wait(PATIENCE)
        return Detector.load(LOUD)

    requests = ControlRequests(lambda: None, load, changes.append)
    for _ in range(3):
        requests.request_reload()
        requests.handle()
    assert changes == []
    go.set()
    wait_for("both", lambda: (requests.handle(), len(changes) == 2)[1])


def test_files_that_hang_are_not_waited_for(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is another reload begun beside that; but when the files answer, reloads go on."""
    monkeypatch.setattr(control, "LOAD_TIMEOUT", 0.0)
    changes: list[Detector] = []
    go = threading.Event()

    def load() -> Detector:
        assert go.wait(PATIENCE)
        return Detector.load(LOUD)

    requests = ControlRequests(lambda: None, load, changes.append)
    for _ in range(2):
        requests.request_reload()
        requests.handle()
        requests.handle()
    prefix = "reload failed, the previous model stays in use: "
    assert caplog.messages == [
        f"{prefix}the files could not be read within 0 s",
        f"{prefix}the previous reload is still waiting for a file",
    ]
    go.set()
    monkeypatch.setattr(control, "LOAD_TIMEOUT", PATIENCE)
    wait_for("the first to end", lambda: (requests.handle(), requests._loader is None)[1])
    assert changes == []  # what came too late
    requests.request_reload()
    wait_for("the next", lambda: (requests.handle(), len(changes) == 1)[1])


def test_a_detector_in_sync_with_another_has_its_stream_time() -> None:
    """To the sample: its first frame, of 25 ms, begins where the other is."""
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).astype(np.float32)
    first, second, alone = (Detector.load(LOUD) for _ in range(3))
    for start, end in ((0, 5_000), (5_000, 5_001), (5_001, 16_000)):
        first.feed(noise[start:end])
    second.sync_to(first)
    expected = [1.0 + step.time for step in alone.steps(noise)]
    assert [step.time for step in second.steps(noise)] == pytest.approx(expected, abs=1e-9)


class Late(Chunks):
    """Its microphone comes with the second chunk."""

    def __iter__(self) -> Iterator[Chunk]:
        self.waiting = "waiting for microphone chunks"
        yield Chunk(NOTHING)
        self.waiting = ""
        yield Chunk(words(1))


def test_nobody_is_told_that_it_listens_before_there_is_a_microphone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    source = Late([], live=True)
    source.waiting = "waiting for microphone chunks"
    said: list[list[str]] = []
    Listener(source, Detector.load(LOUD), Notifier()).run(lambda: said.append(list(caplog.messages)))
    assert said == [[], ["listening for 'loud' on chunks"]]


def test_the_counters_are_told_now_and_then() -> None:
    told: list[str] = []
    requests = ControlRequests(lambda: told.append("stats"), Detector, told.append, statistics_interval=0.0)
    for _ in range(3):
        requests.handle()
    assert told == ["stats"] * 3


class Word(Notifier):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def send(self, message: str) -> None:
        self.sent.append(message)

    def feed_watchdog(self) -> None:
        self.sent.append("WATCHDOG=1")

    def extend_start(self) -> None:
        self.sent.append("EXTEND")


def test_it_is_ready_when_audio_came_and_not_before() -> None:
    word = Word()
    Listener(Chunks([NOTHING, NOTHING, words(1)], live=True), Detector.load(LOUD), word).run()
    assert [each for each in word.sent if each != "WATCHDOG=1"] == [
        "EXTEND",
        "STATUS=chunks: 0 triggers, 0 overruns",
        "EXTEND",
        "READY=1",
        "STATUS=chunks: 1 triggers, 0 overruns",
    ]


@pytest.mark.parametrize(("backlog", "fed"), [(0.5, 3), (2.0, 0)])
def test_the_watchdog_is_fed_while_the_engine_keeps_up(backlog: float, fed: int) -> None:
    word = Word()
    chunks = Chunks([words(1)] * 3, live=True, backlog=backlog)
    Listener(chunks, Detector.load(LOUD), word).run()
    assert word.sent.count("WATCHDOG=1") == fed


class Gaps(Recorder):
    """Keeps the lengths of what is heard and of the gaps, too."""

    def __init__(self, events: list[Event]) -> None:
        super().__init__(events)
        self.heard = self.missing = 0.0  # seconds

    def on_audio(self, samples: Samples, _posterior: float) -> None:
        self.heard += len(samples) / SAMPLE_RATE

    def on_gap(self, seconds: float) -> None:
        self.missing += seconds


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(200, 8_000), min_size=1, max_size=5))
def test_what_is_said_in_a_pause_is_not_heard(sizes: list[int]) -> None:
    """Nor does what follows suffer: the words are said at 2, 4, 6 and 8 s, and the pause is from 3 to 5 s."""
    events: list[Event] = []
    pause, sink = Pause(), Gaps(events)
    detector = Detector.load(LOUD)
    listener = Listener(Chunks(cut(words(4), sizes)), detector, Notifier(), [sink], pause)

    def between() -> None:
        if 3 <= detector.stream_time < 5 and not pause.active:
            pause.begin()
        if detector.stream_time >= 5 and pause.active:
            pause.end()

    listener.run(between)
    assert [event.stream_time for event in events] == pytest.approx([2.1, 6.1, 8.1], abs=0.15)
    assert detector.stream_time == 10.5  # with the silence at the end
    assert sink.heard + sink.missing == pytest.approx(10.5)
    assert sink.missing == pytest.approx(2, abs=0.5)
    assert listener.counters.gaps == 0


def test_a_pause_ends_by_itself_and_systemd_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    pause, word = Pause(), Word()
    pause.begin(2.0)
    assert (pause.active, pause.remaining) == (True, 2.0)
    Listener(Chunks([words(1)]), Detector.load(LOUD), word, (), pause).run()
    assert word.sent[-1] == "STATUS=paused"
    now = 101.0
    pause.begin(1.5)  # counts from now
    now = 102.4
    assert pause.active
    now = 102.6
    assert not pause.active
    assert pause.remaining is None


def test_a_trigger_on_command_is_a_trigger() -> None:
    events: list[Event] = []
    listener = Listener(Chunks([NOTHING]), Detector.load(LOUD), Notifier(), [Recorder(events)])
    listener.trigger("loud")
    (event,) = events
    assert (event.keyword, event.posterior, event.stream_time, event.model) == ("loud", 1.0, 0.0, "loud.pt")
    assert listener.counters.triggers == 1
