"""Reduces a recording to the outline of its waveform, all that a picture needs of hours of it."""

import numpy as np

from kwsd.pcm import Samples

MAX_PIECES = 1 << 17  # many more than a picture has columns; must be even


class Outline:
    """The lowest and the highest sample in each of many equally long pieces of a stream."""

    def __init__(self) -> None:
        self._length = 1  # samples in a piece
        self._held: Samples = np.empty(0, np.float32)  # samples of a piece that is not complete
        self._pieces: Samples = np.empty((MAX_PIECES, 2), np.float32)
        self._count = 0

    def push(self, samples: Samples) -> None:
        """Take samples, shape (n,)."""
        held = np.concatenate((self._held, samples))
        while len(held) >= self._length:
            count = min(len(held) // self._length, MAX_PIECES - self._count)
            pieces = held[: count * self._length].reshape(count, self._length)
            held = held[count * self._length :]
            room = self._pieces[self._count : self._count + count]
            pieces.min(axis=1, out=room[:, 0])
            pieces.max(axis=1, out=room[:, 1])
            self._count += count
            if self._count == MAX_PIECES:
                self._halve()
        self._held = held

    @property
    def values(self) -> Samples:
        """Lowest and highest in turn, evenly spaced over the stream, shape (n,)."""
        return self._pieces[: self._count].ravel()

    def _halve(self) -> None:
        """Join every two pieces."""
        pairs = self._pieces.reshape(-1, 4)
        self._count = len(pairs)
        self._pieces[: self._count] = np.stack((pairs.min(axis=1), pairs.max(axis=1)), axis=1)
        self._length *= 2
