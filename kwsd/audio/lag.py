"""Detects live audio that is no longer live: what was recorded while the process stood still."""

import time
from collections.abc import Callable

STALL_SECONDS = 2.0  # without a chunk, after which the audio that follows is too old to act on


class LagDetector:
    """Watches when chunks of live audio arrive.

    A process that was stopped, or got no processor time, finds audio waiting in its own buffers and in those
    of the sound server, and then gets it faster than real time. Chunks that follow a stall of STALL_SECONDS
    are late until one of them takes time to arrive again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last_arrival: float | None = None
        self._late = False

    def is_late(self, seconds: float) -> bool:
        """Whether a chunk of this length (seconds), which arrives now, is late."""
        now = self._clock()
        waited = 0.0 if self._last_arrival is None else now - self._last_arrival
        self._last_arrival = now
        if waited >= STALL_SECONDS:
            self._late = True
        elif waited >= seconds / 2:
            self._late = False
        return self._late
