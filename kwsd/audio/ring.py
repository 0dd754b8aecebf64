"""A preallocated ring buffer between one writing and one reading thread, without a lock around the audio.

The writer only ever moves its own two counters and the reader its own one, so neither waits for the other.
When the ring is full the oldest audio is lost: the reader finds that it has been lapped, skips, and counts.
"""

import threading
from contextlib import suppress

import numpy as np

from kwsd.pcm import Int16


class RingBuffer:
    """Holds up to `capacity` audio frames of `channels` int16 samples each."""

    def __init__(self, capacity: int, channels: int = 1) -> None:
        self.capacity = capacity
        self.overruns = 0  # times the writer lapped the reader; moved by the reader alone, as is the next
        self.dropped = 0  # frames lost so
        self._buffer: Int16 = np.zeros((capacity, channels), np.int16)
        self._claimed = 0  # frames whose room the writer has begun to fill, since the start
        self._written = 0  # frames that are there to be read, since the start
        self._read = 0  # frames the reader has had or skipped, since the start
        self._closed = False
        self._sleep = threading.Lock()  # held while there is nothing to wake up for
        self._sleep.acquire()

    @property
    def waiting(self) -> int:
        """Frames written and not yet read."""
        return min(self._written - self._read, self.capacity)

    @property
    def closed(self) -> bool:
        return self._closed

    def write(self, frames: Int16) -> None:
        """Put `frames`, shape (n, channels), over the oldest. Never waits and allocates no audio."""
        end = self._written + len(frames)
        self._claimed = end  # before the first sample is overwritten, so that a reader copying it will know
        kept = frames[-self.capacity :]
        start = (end - len(kept)) % self.capacity
        head = min(len(kept), self.capacity - start)
        self._buffer[start : start + head] = kept[:head]
        self._buffer[: len(kept) - head] = kept[head:]
        self._written = end
        self._wake()

    def read(self, timeout: float | None = None) -> Int16:
        """All that is waiting, shape (n, channels); none after `timeout` seconds or once closed."""
        while True:
            closed = self._closed  # looked at first: what was written before the close is still given
            end = self._written
            start = max(self._read, end - self.capacity)
            if start == end:
                if closed or not self._sleep.acquire(timeout=-1 if timeout is None else timeout):
                    return self._buffer[:0]
                continue
            frames = self._copy(start, end)
            # what the writer reached during the copy is torn
            intact = min(end, max(start, self._claimed - self.capacity))
            if intact > self._read:
                self.overruns += 1
                self.dropped += intact - self._read
            self._read = end
            if intact < end:
                return frames[intact - start :]

    def close(self) -> None:
        """Let the reader have what is left, then nothing. Safe in a signal handler."""
        self._closed = True
        self._wake()

    def _copy(self, start: int, end: int) -> Int16:
        head = start % self.capacity
        tail = head + end - start - self.capacity
        if tail <= 0:
            return self._buffer[head : head + end - start].copy()
        return np.concatenate((self._buffer[head:], self._buffer[:tail]))

    def _wake(self) -> None:
        with suppress(RuntimeError):  # already awake
            self._sleep.release()
