"""Every format that a client may send becomes the same 16 kHz mono."""

import numpy as np
import pytest

from kwsd.pcm import to_float32
from kwsd.wyoming.pcm_format import Converter, PcmFormat
from kwsd.wyoming.protocol import ProtocolError


def tone(rate: int, seconds: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return 0.5 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)


def packed(samples: np.ndarray[tuple[int], np.dtype[np.float64]], width: int, channels: int) -> bytes:
    """Signed little-endian integers, the same on every channel."""
    integers = np.rint(samples * (2 ** (8 * width - 1) - 1)).astype("<i4")
    bytes_of_each = integers[:, None].view(np.uint8).reshape(-1, 4)[:, :width]
    return np.repeat(bytes_of_each, channels, axis=0).tobytes()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_audio_of_any_format_is_converted(rate: int, width: int, channels: int) -> None:
    converter = Converter(PcmFormat(rate, width, channels))
    audio = packed(tone(rate), width, channels)
    half = len(audio) // 2 // (width * channels) * width * channels
    parts = [converter.push(audio[:half]), converter.push(audio[half:]), converter.push(b"", last=True)]
    mono = np.concatenate([to_float32(part) if part.dtype == np.int16 else part for part in parts])
    assert abs(len(mono) - 16_000) <= 1
    inside = slice(500, 15_500)  # resampling filters begin and end
    tolerance = 0.01 if width == 1 else 0.001
    np.testing.assert_allclose(mono[inside], tone(16_000)[inside], rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate", 3_999),
        ("rate", 192_001),
        ("rate", "16000"),
        ("rate", 16_000.0),
        ("width", 0),
        ("width", 5),
        ("width", None),
        ("channels", 0),
        ("channels", 33),
        ("channels", True),
    ],
)
def test_a_format_that_is_not_one_is_refused(name: str, value: object) -> None:
    data = {"rate": 16_000, "width": 2, "channels": 1}
    assert PcmFormat.of(data) == (16_000, 2, 1)
    with pytest.raises(ProtocolError, match=f"audio with {name} "):
        PcmFormat.of(data | {name: value})
