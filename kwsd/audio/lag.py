"""Whether live audio is live: after a standstill, what was recorded meanwhile comes in a rush."""

import time
from collections.abc import Callable

STANDSTILL = 2.0  # seconds without a chunk, after which what comes was recorded too long ago to act on


class Pace:
    """Watches when chunks come.

    A process that was stopped, or starved of processor, for STANDSTILL seconds finds chunks waiting in its
    own buffers and the sound server's, and gets them faster than they were recorded. They are late until
    one has to be waited for again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._came: float | None = None  # when the last chunk did
        self._late = False

    def late(self, seconds: float) -> bool:
        """Whether a chunk of so many seconds of audio, which comes now, is late."""
        now = self._clock()
        waited = 0.0 if self._came is None else now - self._came
        self._came = now
        if waited >= STANDSTILL:
            self._late = True
        elif waited >= seconds / 2:
            self._late = False
        return self._late
