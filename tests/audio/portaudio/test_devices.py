import sys
from pathlib import Path

import pytest

from kwsd.audio.portaudio.devices import Device, choose, portaudio
from kwsd.errors import AudioError, UsageError

DEVICES = [
    Device(0, "MacBook Pro Microphone", "Core Audio", 1, 48_000, default=False),
    Device(3, "USB PnP Sound Device", "Core Audio", 1, 48_000, default=False),
    Device(4, "USB Audio", "Core Audio", 2, 48_000, default=False),
    Device(6, "BlackHole", "Core Audio", 16, 44_100, default=False),
    Device(7, "BlackHole 2", "Core Audio", 2, 44_100, default=True),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [(None, 7), ("3", 3), ("pnp", 3), ("Pro", 0), ("blackhole", 6), ("HOLE 2", 7), ("o M", 0)],
)
def test_a_device_is_chosen_by_index_or_by_a_part_of_its_name(wanted: str | None, index: int) -> None:
    assert choose(wanted, DEVICES).index == index


@pytest.mark.parametrize(
    ("wanted", "listed"), [("usb", [3, 4]), ("5", [0, 3, 4, 6, 7]), ("nosuch", [0, 3, 4, 6, 7])]
)
def test_what_is_not_one_device_is_answered_with_the_candidates(wanted: str, listed: list[int]) -> None:
    with pytest.raises(UsageError) as raised:
        choose(wanted, DEVICES)
    for device in DEVICES:
        assert (str(device) in str(raised.value)) == (device.index in listed)


def test_without_a_default_the_first_is_taken_and_without_any_it_is_an_error() -> None:
    assert choose(None, DEVICES[:2]).index == 0
    with pytest.raises(AudioError, match="no microphone"):
        choose(None, [])


@pytest.mark.parametrize(
    ("module", "says"),
    [
        ("raise OSError('no such')", "the PortAudio library is not installed: install portaudio (no such)"),
        ("raise ImportError", "sounddevice is not installed: pip install sounddevice"),
        (
            "raise RuntimeError('Unanticipated host error')",
            "PortAudio failed to start: Unanticipated host error",
        ),
    ],
)
def test_what_keeps_portaudio_from_starting_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, says: str
) -> None:
    (tmp_path / "sounddevice.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(AudioError) as raised:
        portaudio()
    assert str(raised.value) == says
