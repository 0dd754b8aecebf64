"""The audio formats that clients send, and their conversion to 16 kHz mono."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kwsd.audio.resample import Resampler
from kwsd.errors import shown
from kwsd.pcm import SAMPLE_RATE, Int16, Samples
from kwsd.wyoming.protocol import ProtocolError

RATES = range(4_000, 192_001)  # Hz
WIDTHS = range(1, 5)  # bytes of a sample
CHANNELS = range(1, 33)


class PcmFormat(NamedTuple):
    """Signed, little-endian integer samples, as the `wyoming` package defines them for every width."""

    rate: int
    """Hz."""

    width: int
    """Bytes of a sample."""

    channels: int

    @classmethod
    def of(cls, data: dict[str, Any]) -> "PcmFormat":
        """The format that a message gives. Raises ProtocolError if it is missing or out of range."""
        for name, allowed in (("rate", RATES), ("width", WIDTHS), ("channels", CHANNELS)):
            value = data.get(name)
            if type(value) is not int or value not in allowed:
                raise ProtocolError(
                    f"audio with {name} {shown(value)}; it must be from {allowed[0]:,} to {allowed[-1]:,}"
                )
        return cls(data["rate"], data["width"], data["channels"])

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return self.width * self.channels

    @property
    def bytes_per_second(self) -> int:
        return self.rate * self.frame_bytes


class Converter:
    """Converts a stream of audio of one format to 16 kHz mono."""

    def __init__(self, pcm_format: PcmFormat) -> None:
        self._format = pcm_format
        self._plain = pcm_format == (SAMPLE_RATE, 2, 1)
        self._resampler = Resampler(pcm_format.rate)

    def push(self, audio: bytes, last: bool = False) -> Samples | Int16:
        """The samples, shape (n,), that the next bytes complete; with `last`, all that are left.

        audio: whole frames.
        """
        if self._plain:
            return np.frombuffer(audio, "<i2")
        samples = _floats(audio, self._format.width).reshape(-1, self._format.channels)
        mono = samples.mean(axis=1, dtype=np.float32) if self._format.channels > 1 else samples[:, 0]
        return self._resampler.push(mono, last)


def _floats(audio: bytes, width: int) -> Samples:
    """Samples as float32 with full scale 1."""
    if width == 3:  # put below three bytes a fourth one, which is the lowest of int32
        wide: npt.NDArray[Any] = np.zeros((len(audio) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(audio, np.uint8).reshape(-1, 3)
        integers, bits = wide.view("<i4")[:, 0], 32
    else:
        integers, bits = np.frombuffer(audio, f"<i{width}"), 8 * width
    return integers.astype(np.float32) * np.float32(2.0 ** (1 - bits))
