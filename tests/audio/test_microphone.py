"""The microphone with PortAudio's part played: what its thread delivers, when it pleases."""

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from harness import PATIENCE

from kwsd.audio import microphone
from kwsd.audio.microphone import CAPACITY, FIRST, MicrophoneSource
from kwsd.audio.portaudio import Device
from kwsd.errors import AudioError


class PortAudioError(Exception):
    pass


class Stream:
    """The stream last opened."""

    opened: "Stream"

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments
        Stream.opened = self

    def start(self) -> None: ...

    def close(self) -> None: ...

    def deliver(self, frames: np.ndarray, overflow: bool = False) -> None:
        """As PortAudio's thread does."""
        status = SimpleNamespace(input_overflow=overflow)
        self.arguments["callback"](frames.astype(np.int16).tobytes(), len(frames), None, status)


Open = Callable[[set[tuple[int, int]]], MicrophoneSource]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a two-channel 48 kHz microphone that accepts these rates and channel counts."""

    def make(accepted: set[tuple[int, int]]) -> MicrophoneSource:
        device = Device(5, "desk", "ALSA", 2, 48_000, default=True)
        library = SimpleNamespace(RawInputStream=Stream, PortAudioError=PortAudioError)
        monkeypatch.setattr(microphone, "portaudio", lambda: library)
        monkeypatch.setattr(microphone, "devices", lambda: [device])
        monkeypatch.setattr(microphone, "accepts", lambda _, *shape: shape in accepted)
        return MicrophoneSource()

    return make


def read(source: MicrophoneSource) -> np.ndarray:
    """What it gives once stopped."""
    source._ring.close()
    source._stopped = True
    return np.concatenate([np.empty(0, np.float32), *source])


@pytest.mark.parametrize(
    ("accepted", "rate", "channels"),
    [({(16_000, 1), (48_000, 1)}, 16_000, 1), ({(48_000, 1)}, 48_000, 1), (set(), 48_000, 2)],
)
def test_it_is_opened_as_near_to_16_khz_mono_as_it_can(
    opened: Open, accepted: set[tuple[int, int]], rate: int, channels: int
) -> None:
    opened(accepted)
    arguments = Stream.opened.arguments
    assert (arguments["samplerate"], arguments["channels"]) == (rate, channels)
    assert (arguments["device"], arguments["dtype"]) == (5, "int16")


def test_16_khz_mono_is_given_as_it_is(opened: Open) -> None:
    source = opened({(16_000, 1)})
    Stream.opened.deliver(np.array([[100], [-200]]))
    Stream.opened.deliver(np.array([[300]]))
    assert source.backlog == pytest.approx(3 / 16_000)
    chunks = iter(source)
    assert (next(chunks) * 32768).tolist() == [100, -200, 300]


def test_other_rates_are_resampled_and_channels_averaged(opened: Open) -> None:
    source = opened(set())
    tone = 8_000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    given = []
    chunks = iter(source)
    for block in np.split(np.stack((tone, 0 * tone), axis=1), 20):
        Stream.opened.deliver(block)
        given.append(next(chunks))
    samples = np.concatenate(given) * 32768
    assert 15_000 < len(samples) <= 16_000  # the resampler holds some back
    expected = 4_000 * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 16_000)
    np.testing.assert_allclose(samples[1_000:], expected[1_000:], atol=20)


def test_what_portaudio_and_the_ring_lose_is_counted(opened: Open) -> None:
    source = opened({(16_000, 1)})
    block = np.zeros((16_000, 1))
    Stream.opened.deliver(block)
    assert (source.overruns, source.dropped) == (0, 0)
    Stream.opened.deliver(block, overflow=True)
    assert (source.overruns, source.dropped) == (1, 0)
    for _ in range(round(CAPACITY)):
        Stream.opened.deliver(block)
    assert source.backlog == CAPACITY
    assert len(next(iter(source))) == CAPACITY * 16_000
    assert (source.overruns, source.dropped) == (2, 2)
    assert source.backlog == 0


def test_a_stream_that_ends_by_itself_is_an_error_and_stop_is_none(opened: Open) -> None:
    source = opened({(16_000, 1)})
    Stream.opened.arguments["finished_callback"]()
    with pytest.raises(AudioError, match="'desk': was it unplugged"):
        list(source)
    source = opened({(16_000, 1)})
    source.stop()
    assert list(source) == []


def test_a_microphone_that_falls_silent_is_given_up(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened({(16_000, 1)})
    waits = []
    monkeypatch.setattr(
        source._ring, "read", lambda timeout: waits.append(timeout) or np.empty((0, 1), np.int16)
    )
    with pytest.raises(AudioError, match="no more audio"):
        list(source)
    assert sum(waits) == FIRST


def test_once_it_was_heard_a_second_is_enough(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    source = opened({(16_000, 1)})
    chunks = iter(source)
    Stream.opened.deliver(np.zeros((800, 1)))
    next(chunks)
    waits = []
    monkeypatch.setattr(
        source._ring, "read", lambda timeout: waits.append(timeout) or np.empty((0, 1), np.int16)
    )
    with pytest.raises(AudioError, match="no more audio"):
        next(chunks)
    assert sum(waits) == 1


def test_a_microphone_that_cannot_be_opened_is_named(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: Stream) -> None:
        raise PortAudioError("Device unavailable")

    monkeypatch.setattr(Stream, "start", busy)
    with pytest.raises(AudioError, match="cannot open the microphone 'desk': Device unavailable"):
        opened({(16_000, 1)})


def test_a_library_that_hangs_is_left(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, left = threading.Event(), []
    monkeypatch.setattr(Stream, "close", lambda _: hanging.wait(PATIENCE))
    monkeypatch.setattr(microphone, "CLOSING", 0.01)
    monkeypatch.setattr(microphone, "abandon", lambda: left.append(True))
    with pytest.raises(AudioError, match="PortAudio hangs on the microphone 'desk': start kwsd again"):
        opened({(16_000, 1)}).close()
    assert left
    hanging.set()
