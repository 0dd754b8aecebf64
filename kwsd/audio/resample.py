"""Mono at any rate, made 16 kHz as it streams."""

from typing import Any

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Samples


class Resampler:
    """Takes mono float32 at `rate` (Hz), gives float32 at 16 kHz. At 16 kHz it gives what it takes."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._stream: Any = None
        if rate != SAMPLE_RATE:
            self._stream = _stream(rate)

    def push(self, samples: Samples, last: bool = False) -> Samples:
        """Take samples, shape (n,), and give what they complete; `last` gives the rest too."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples, last=last), np.float32)


def _stream(rate: int) -> Any:
    """A stream of soxr's or, where that is not installed, one that is as good but slower."""
    try:
        import soxr
    except ImportError:
        from kwsd.audio.polyphase import Polyphase

        return Polyphase(rate)
    return soxr.ResampleStream(rate, SAMPLE_RATE, num_channels=1, dtype="float32")
