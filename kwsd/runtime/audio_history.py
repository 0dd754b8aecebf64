"""The last seconds of a stream, kept for the second stage."""

from collections import deque

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Samples

BLOCK_SAMPLES = SAMPLE_RATE  # 1 s, the most that can be added at a time


class AudioHistory:
    """Gives the `length` samples before a recent position of the stream.

    A position is the number of samples since the beginning of the stream. The samples are kept in chunks, as
    they arrived, and are joined only when they are read.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.clear(0)

    def clear(self, position: int) -> None:
        """Forget all samples; the next one is at this position, with silence before it."""
        self._chunks: deque[Samples] = deque()
        self._held = 0  # samples in the chunks
        self._end = position

    def push(self, samples: Samples) -> None:
        """Add samples, at most BLOCK_SAMPLES, and forget those that `before` can no longer reach."""
        self._chunks.append(samples.copy())
        self._held += len(samples)
        self._end += len(samples)
        while self._held - len(self._chunks[0]) >= self.length + BLOCK_SAMPLES:
            self._held -= len(self._chunks.popleft())

    def before(self, position: int) -> Samples:
        """The `length` samples before this position, which is at most BLOCK_SAMPLES before the end."""
        joined = np.concatenate((np.zeros(self.length, np.float32), *self._chunks))
        end = len(joined) - (self._end - position)
        return joined[end - self.length : end]
