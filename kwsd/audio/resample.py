"""Resamples a stream of mono audio to 16 kHz."""

from typing import Any

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Samples


class Resampler:
    """Resamples mono float32 from `rate` (Hz) to 16 kHz. Audio at 16 kHz is returned unchanged."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._stream: Any = None
        if rate != SAMPLE_RATE:
            self._stream = _stream(rate)

    def push(self, samples: Samples, last: bool = False) -> Samples:
        """Add input, shape (n,), and return the output that can be computed; with `last`, all of it."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples, last=last), np.float32)


def _stream(rate: int) -> Any:
    """soxr's resampler or, if soxr is not installed, our own, which is as accurate but slower."""
    try:
        import soxr
    except ImportError:
        from kwsd.audio.polyphase import Polyphase

        return Polyphase(rate)
    return soxr.ResampleStream(rate, SAMPLE_RATE, num_channels=1, dtype="float32")
