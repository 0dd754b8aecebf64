"""The supervisor with the microphone's part played: what it gives, and when it is gone."""

import gc
import itertools
import logging
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from kwsd.audio import supervisor
from kwsd.audio.portaudio import Device
from kwsd.audio.supervisor import LONGEST, SHORTEST, Supervisor
from kwsd.errors import AudioError, UsageError

DESK = Device(3, "desk", "ALSA", 1, 16_000, default=True)
SECOND = np.ones(16_000, np.float32)

Script = list[Exception | list[np.ndarray]]


class Microphone:
    """Opens, or does not, as the script says; gives its chunks and is gone."""

    script: Script
    asked: list[str | Device | None]
    overruns = 1
    dropped = 0.5
    backlog = 0.0
    device = DESK

    def __init__(self, device: str | Device | None) -> None:
        self.asked.append(device)
        given = self.script.pop(0)
        if isinstance(given, Exception):
            raise given
        self._chunks = given

    def __iter__(self) -> Iterator[np.ndarray]:
        yield from self._chunks
        raise AudioError("gone.")

    def __exit__(self, *exception: object) -> None: ...

    def close(self) -> None: ...

    def stop(self) -> None: ...


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Plays the microphone and the clock; where it waited, and for how long, is in the list."""
    slept: list[float] = []
    monkeypatch.setattr(supervisor, "MicrophoneSource", Microphone)
    monkeypatch.setattr(supervisor, "portaudio", lambda: None)
    monkeypatch.setattr(supervisor, "devices", lambda: [DESK])
    monkeypatch.setattr(supervisor, "refresh", lambda: slept.append(0.0))
    monkeypatch.setattr(supervisor.time, "sleep", slept.append)
    monkeypatch.setattr(Microphone, "asked", [], raising=False)
    return slept


def supervise(monkeypatch: pytest.MonkeyPatch, script: Script, **options: bool) -> Supervisor:
    monkeypatch.setattr(Microphone, "script", script, raising=False)
    return Supervisor("des", **options)


def heard(source: Supervisor, count: int) -> list[np.ndarray]:
    """The first chunks that hold audio."""
    return list(itertools.islice((chunk for chunk in source if len(chunk)), count))


def test_pauses_grow_and_the_name_found_first_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    gone: list[Exception | list[np.ndarray]] = [AudioError("still gone")] * 6
    source = supervise(monkeypatch, [[SECOND], *gone, [SECOND, SECOND]])
    with caplog.at_level(logging.INFO):
        assert len(heard(source, 3)) == 3
    tries = [list(group) for ends, group in itertools.groupby(pauses, lambda t: t == 0) if not ends]
    assert [sum(each) for each in tries] == [SHORTEST, 1, 2, 4, 8, LONGEST, LONGEST]
    assert Microphone.asked == ["des", *[DESK] * 7]
    assert [record.getMessage()[:30] for record in caplog.records] == [
        "gone. waiting for it",
        "the microphone 'desk' is back ",
    ]
    assert (source.overruns, source.dropped) == (2, 1.0)


def test_the_gap_is_told_with_the_first_chunk_alone(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: sum(pauses))
    source = supervise(monkeypatch, [[SECOND], [SECOND, SECOND]])
    assert [(len(chunk), source.gap) for chunk in itertools.islice(source, 5)] == [
        (16_000, 0),
        (0, 0),
        (0, 0),
        (16_000, SHORTEST),
        (16_000, 0),
    ]


@pytest.mark.usefixtures("pauses")
def test_a_lost_microphone_is_forgotten_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Cycle(Microphone):
        """As a stream of sounddevice is: it holds itself, through its callback."""

        def __init__(self, device: str | Device | None) -> None:
            super().__init__(device)
            self.itself = self
            alive.add(self)

    alive: weakref.WeakSet[Cycle] = weakref.WeakSet()
    monkeypatch.setattr(supervisor, "MicrophoneSource", Cycle)
    monkeypatch.setattr(supervisor.log, "disabled", True)  # pytest keeps the errors logged, with their frames
    source = supervise(monkeypatch, [[SECOND]] * 20)
    gc.disable()  # it would come of its own accord, some day
    try:
        heard(source, 20)
    finally:
        gc.enable()
    assert len(alive) == 1


@pytest.mark.usefixtures("pauses")
def test_what_is_not_there_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(heard(supervise(monkeypatch, [AudioError("none"), [SECOND]]), 1)) == 1
    assert len(heard(supervise(monkeypatch, [UsageError("no such"), [SECOND]], patient=True), 1)) == 1
    with pytest.raises(UsageError):
        supervise(monkeypatch, [UsageError("no such")])
    with pytest.raises(AudioError):
        supervise(monkeypatch, [AudioError("none")], exit_on_loss=True)


@pytest.mark.usefixtures("pauses")
def test_digital_silence_is_told_of_once_until_sound_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    silence = [0 * SECOND]
    source = supervise(monkeypatch, [silence * 59 + [SECOND] + silence * 200 + [SECOND] + silence * 60])
    chunks = (chunk for chunk in source if len(chunk))
    for seconds, told in ((59 + 1 + 59, 0), (1, 1), (140, 1), (1 + 59, 1), (1, 2)):
        for _ in range(seconds):
            next(chunks)
        assert caplog.text.count("zeros") == told
