"""A preallocated ring buffer for one writer thread and one reader thread, without locking.

The writer changes only its two counters and the reader only its own, so neither waits for the other. If the
buffer is full, the writer overwrites the oldest audio. The reader then notices that it was overtaken, skips
the lost audio and counts it.
"""

import threading
from contextlib import suppress

import numpy as np

from kwsd.pcm import Int16


class RingBuffer:
    """Holds up to `capacity` audio frames of `channels` int16 samples each."""

    def __init__(self, capacity: int, channels: int = 1) -> None:
        self.capacity = capacity
        self.overruns = 0  # how many times the writer overtook the reader; only the reader changes this
        self.dropped = 0  # frames lost in overruns; only the reader changes this
        self._buffer: Int16 = np.zeros((capacity, channels), np.int16)
        self._claimed = 0  # frames that the writer has started to write, since the start
        self._written = 0  # frames completely written, since the start
        self._read = 0  # frames read or skipped, since the start
        self._closed = False
        self._sleep = threading.Lock()  # locked while there is nothing to read; unlocking it wakes the reader
        self._sleep.acquire()

    @property
    def waiting(self) -> int:
        """Frames that are written but not read yet."""
        return min(self._written - self._read, self.capacity)

    @property
    def closed(self) -> bool:
        return self._closed

    def write(self, frames: Int16) -> None:
        """Write frames, shape (n, channels). Never waits, and allocates no memory for audio."""
        end = self._written + len(frames)
        self._claimed = end  # set before a sample is overwritten, so that a reader who copies it can notice
        kept = frames[-self.capacity :]
        start = (end - len(kept)) % self.capacity
        head = min(len(kept), self.capacity - start)
        self._buffer[start : start + head] = kept[:head]
        self._buffer[: len(kept) - head] = kept[head:]
        self._written = end
        self._wake()

    def read(self, timeout: float | None = None) -> Int16:
        """Wait for frames and return all, shape (n, channels); none after `timeout` seconds or if closed."""
        while True:
            closed = self._closed  # checked first, so that frames written before the close are still returned
            end = self._written
            start = max(self._read, end - self.capacity)
            if start == end:
                if closed or not self._sleep.acquire(timeout=-1 if timeout is None else timeout):
                    return self._buffer[:0]
                continue
            frames = self._copy(start, end)
            # frames that the writer reached during the copy may be corrupt
            intact = min(end, max(start, self._claimed - self.capacity))
            if intact > self._read:
                self.overruns += 1
                self.dropped += intact - self._read
            self._read = end
            if intact < end:
                return frames[intact - start :]

    def close(self) -> None:
        """End the stream: the reader gets the remaining frames. May be called from a signal handler."""
        self._closed = True
        self._wake()

    def _copy(self, start: int, end: int) -> Int16:
        """The frames with these numbers, which may wrap around the end of the buffer."""
        head = start % self.capacity
        tail = head + end - start - self.capacity
        if tail <= 0:
            return self._buffer[head : head + end - start].copy()
        return np.concatenate((self._buffer[head:], self._buffer[:tail]))

    def _wake(self) -> None:
        with suppress(RuntimeError):  # already awake
            self._sleep.release()
