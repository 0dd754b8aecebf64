"""PortAudio's microphone, with PortAudio's part played."""

import threading
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from harness import PATIENCE

from kwsd.audio.portaudio import microphone
from kwsd.audio.portaudio.devices import Device
from kwsd.audio.portaudio.microphone import PortAudioMicrophone, PortAudioOpener
from kwsd.errors import AbsentError, AudioError

DESK = Device(5, "desk", "Core Audio", 2, 48_000, default=True)


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


Open = Callable[..., PortAudioMicrophone]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a two-channel 48 kHz microphone that accepts these rates and channel counts."""

    def make(*accepted: tuple[int, int], latency: float = 0.1) -> PortAudioMicrophone:
        library = SimpleNamespace(RawInputStream=Stream, PortAudioError=PortAudioError)
        monkeypatch.setattr(microphone, "portaudio", lambda: library)
        monkeypatch.setattr(microphone, "devices", lambda: [DESK])
        monkeypatch.setattr(microphone, "accepts", lambda _, *shape: shape in accepted)
        return PortAudioOpener(None, None, latency).open()

    return make


@pytest.mark.parametrize(
    ("accepted", "rate", "channels"),
    [([(16_000, 2), (48_000, 2)], 16_000, 2), ([(48_000, 2)], 48_000, 2), ([], 48_000, 1)],
)
def test_all_channels_are_opened_at_16_khz_where_it_can(
    opened: Open, accepted: list[tuple[int, int]], rate: int, channels: int
) -> None:
    opened(*accepted, latency=0.2)
    arguments = Stream.opened.arguments
    assert (arguments["samplerate"], arguments["channels"]) == (rate, channels)
    assert (arguments["device"], arguments["dtype"]) == (5, "int16")
    assert (arguments["blocksize"], arguments["latency"]) == (rate // 5, 0.8)


def test_what_portaudio_delivers_is_heard_and_what_it_loses_is_counted(opened: Open) -> None:
    source = opened((16_000, 2))
    Stream.opened.deliver(np.array([[100, 300], [-200, 0]]))
    assert (next(iter(source)) * 32768).tolist() == [200, -100]
    assert source.overruns == 0
    Stream.opened.deliver(np.zeros((160, 2)), overflow=True)
    assert source.overruns == 1
    Stream.opened.arguments["finished_callback"]()
    with pytest.raises(AudioError, match="'desk': was it unplugged"):
        list(source)


def test_the_device_is_found_again_by_its_name(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    opened((16_000, 2)).close()
    opener = PortAudioOpener(None, None, 0.1)
    opener.open().close()
    other = Device(5, "other", "Core Audio", 2, 48_000, default=True)
    monkeypatch.setattr(microphone, "refresh", lambda: None)
    monkeypatch.setattr(microphone, "devices", lambda: [other])
    with pytest.raises(AbsentError, match="the microphone 'desk' is not connected"):
        opener.open()
    twin = replace(DESK, index=6)
    monkeypatch.setattr(microphone, "devices", lambda: [DESK, twin])
    with pytest.raises(AbsentError, match="2 microphones are called 'desk'"):
        opener.open()
    monkeypatch.setattr(microphone, "devices", lambda: [other, twin])
    opener.open()
    assert Stream.opened.arguments["device"] == 6


def test_a_microphone_that_cannot_be_opened_is_named(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: Stream) -> None:
        raise PortAudioError("Device unavailable")

    monkeypatch.setattr(Stream, "start", busy)
    with pytest.raises(AudioError, match="cannot open the microphone 'desk': Device unavailable"):
        opened((16_000, 1))


def test_a_library_that_hangs_is_left(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, left = threading.Event(), []
    monkeypatch.setattr(Stream, "close", lambda _: hanging.wait(PATIENCE))
    monkeypatch.setattr(microphone, "CLOSE_TIMEOUT", 0.01)
    monkeypatch.setattr(microphone, "abandon", lambda: left.append(True))
    with pytest.raises(
        AudioError, match="PortAudio hangs while it closes the microphone 'desk': restart kwsd"
    ):
        opened((16_000, 1)).close()
    assert left
    hanging.set()
