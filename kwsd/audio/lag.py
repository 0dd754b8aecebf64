"""Detects live audio that is out of date, because it was recorded while the process did not run."""

import time
from collections.abc import Callable

STALL_SECONDS = 2.0  # without a chunk, after which the next audio may be from long before


class LagDetector:
    """Watches when chunks of live audio arrive.

    While a process is stopped, or gets no CPU time, audio piles up in its buffers and in those of the sound
    server. When the process continues, that audio arrives faster than real time. So after a stall of
    STALL_SECONDS all chunks are late until one arrives in real time again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_arrival: float | None = None
        self._late = False

    def is_late(self, seconds: float) -> bool:
        """Whether a chunk that arrives now is late. seconds: its length."""
        now = self._clock()
        waited = 0.0 if self._last_arrival is None else now - self._last_arrival
        self._last_arrival = now
        if waited >= STALL_SECONDS:
            self._late = True
        elif waited >= seconds / 2:  # live audio arrives after its length, audio that piled up at once
            self._late = False
        return self._late
