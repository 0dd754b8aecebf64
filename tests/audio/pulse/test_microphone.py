"""The sound server's part played: a stream with holes, and one that falls silent."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kwsd.audio.pulse import microphone as pulse
from kwsd.audio.pulse.microphone import PulseMicrophone
from kwsd.audio.pulse.server import Recording, Server, ServerState, Source
from kwsd.errors import AudioError

DESK = Source("desk", "Desk", 1, 1, (0,), 48_000, monitor=False, muted=False, suspended=False)


class Stream:
    """libpulse's stream functions: pieces of audio in bytes, and holes as their length."""

    def __init__(self, pieces: list[bytes | int]) -> None:
        self._pieces = pieces
        self._kept: Any = None

    def stream_new(self, *_: Any) -> int:
        return 1

    def stream_connect_record(self, *_: Any) -> int:
        return 0

    def stream_peek(self, _stream: int, data: Any, size: Any) -> int:
        piece = self._pieces[0] if self._pieces else b""
        self._kept = np.frombuffer(piece, np.uint8) if isinstance(piece, bytes) else None
        data.value = None if self._kept is None or not len(piece) else self._kept.ctypes.data
        size.value = piece if isinstance(piece, int) else len(piece)
        return 0

    def stream_drop(self, _stream: int) -> int:
        self._pieces.pop(0)
        return 0


def test_holes_in_the_stream_are_zeros_and_counted() -> None:
    one, two = np.arange(1, 5, dtype=np.int16), np.arange(5, 7, dtype=np.int16)
    recording = Recording(Stream([one.tobytes(), 6, two.tobytes(), 2 * 10**6]), 0, DESK, 0.1)
    data, missing = recording.read()
    frames = np.frombuffer(data, np.int16)
    assert frames[:9].tolist() == [1, 2, 3, 4, 0, 0, 0, 5, 6]
    assert len(frames) == 9 + 16_000  # of a long hole no more than a second
    assert missing == 3 + 10**6
    assert recording.read() == (b"", 0)


class SilentServer(Server):
    """Answers that all is well, and sends what is put into `sent`."""

    def __init__(self) -> None:
        self.program = "played"
        self.changed = False
        self.sent: list[tuple[bytes, int]] = []
        self.lost = False
        self.closed = threading.Event()

    def record(self, source: Source, fragment: float) -> Any:
        del source, fragment
        return self

    channels = 1

    def iterate(self, seconds: float) -> None: ...

    def read(self) -> tuple[bytes, int]:
        return self.sent.pop(0) if self.sent else (b"", 0)

    def request_state(self) -> ServerState:
        return ServerState(default="desk", sources=[DESK], complete=True)

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentServer]:
    monkeypatch.setattr(pulse, "QUERY_INTERVAL", 0.02)
    monkeypatch.setattr(pulse, "LOSS_TIMEOUT", 0.1)
    played = SilentServer()
    yield played
    assert played.closed.wait(5)


def test_what_the_server_lost_is_counted(server: SilentServer) -> None:
    server.sent = [(np.ones(1_600, np.int16).tobytes(), 0), (np.zeros(160, np.int16).tobytes(), 32_000)]
    microphone = PulseMicrophone(server, DESK, "desk", follow=True, channel=None, latency=0.01)
    assert [len(next(iter(microphone))) for _ in range(2)] == [1_600, 160]
    assert (microphone.overruns, microphone.dropped) == (1, 2.0)
    microphone.close()


def test_while_its_reader_is_busy_audio_waits_and_time_passes(
    server: SilentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads every 0.18 s, at once if that time is over or if a long piece says that more is waiting."""
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(round(seconds, 6))

    monkeypatch.setattr(pulse, "time", SimpleNamespace(monotonic=lambda: now, sleep=sleep))
    microphone = PulseMicrophone(server, DESK, "desk", follow=True, channel=None, latency=0.2)
    stream = iter(microphone)
    server.sent = [(bytes(2 * samples), 0) for samples in (3_200, 3_200, 32_000, 3_200)]
    for busy in (0.05, 3.0, 0.1, 0.0):
        next(stream)
        now += busy
        assert microphone.backlog == pytest.approx(busy)
    assert slept == [0.18, 0.13, 0.0]
    microphone.close()


def test_a_microphone_that_should_give_audio_and_does_not_is_lost(server: SilentServer) -> None:
    microphone = PulseMicrophone(server, DESK, "desk", follow=True, channel=None, latency=0.01)
    with pytest.raises(AudioError, match="no more audio from the microphone 'desk': was it unplugged"):
        list(microphone)
    microphone.close()
