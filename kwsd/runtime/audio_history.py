"""The last seconds of a stream, kept for the second stage."""

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Samples

MAX_PUSH_SAMPLES = SAMPLE_RATE  # 1 s, the most that can be added at a time


class AudioHistory:
    """Keeps at least the `length` samples before each position of the last MAX_PUSH_SAMPLES.

    A position is the number of samples since the beginning of the stream. The samples lie in one array, whose
    end is moved to its beginning when it is full.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self._samples = np.empty(length + 2 * MAX_PUSH_SAMPLES, np.float32)
        self.clear(0)

    def clear(self, position: int) -> None:
        """Forget all samples; the next one is at this position, with silence before it."""
        self.start = position  # of the first sample
        self.end = position  # of the next sample
        self._samples[: self.length] = 0
        self._filled = self.length

    def push(self, samples: Samples) -> None:
        """Add samples, at most MAX_PUSH_SAMPLES."""
        if self._filled + len(samples) > len(self._samples):
            kept = self.length + MAX_PUSH_SAMPLES
            self._samples[:kept] = self._samples[self._filled - kept : self._filled]
            self._filled = kept
        self._samples[self._filled : self._filled + len(samples)] = samples
        self._filled += len(samples)
        self.end += len(samples)

    def read(self, start: int, stop: int) -> Samples:
        """The samples from one position to another, as a view that holds until the next `push`."""
        offset = self._filled - self.end
        return self._samples[start + offset : stop + offset]
