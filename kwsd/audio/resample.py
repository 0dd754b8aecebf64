"""Mono at any rate, made 16 kHz as it streams."""

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Samples


class Resampler:
    """Takes mono float32 at `rate` (Hz), gives float32 at 16 kHz. At 16 kHz it gives what it takes."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._stream = None
        if rate != SAMPLE_RATE:
            import soxr

            self._stream = soxr.ResampleStream(rate, SAMPLE_RATE, num_channels=1, dtype="float32")

    def push(self, samples: Samples, last: bool = False) -> Samples:
        """Take samples, shape (n,), and give what they complete; `last` gives the rest too."""
        if self._stream is None:
            return samples
        return np.asarray(self._stream.resample_chunk(samples, last=last), np.float32)
