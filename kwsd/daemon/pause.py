"""Whether listening is paused."""

import logging
import math
import time

MAX_SECONDS = 86_400  # of a pause that ends by itself

log = logging.getLogger(__name__)


class Pause:
    """Begins and ends on command, and ends by itself after a time.

    Only the detection thread may use it.
    """

    def __init__(self) -> None:
        self._end: float | None = None  # of the current pause, on the monotonic clock; None without a pause

    def begin(self, seconds: float = math.inf) -> None:
        """Pause for this long from now, also if already paused."""
        self._end = time.monotonic() + seconds
        log.info("paused until it is resumed" if seconds == math.inf else f"paused for {seconds:g} s")

    def end(self) -> None:
        """Resume. Does nothing without a pause."""
        if self._end is not None:
            self._end = None
            log.info("no longer paused")

    @property
    def active(self) -> bool:
        """Whether listening is paused now. Ends a pause whose time is over."""
        if self._end is not None and time.monotonic() >= self._end:
            self.end()
        return self._end is not None

    @property
    def remaining(self) -> float | None:
        """Seconds until it ends by itself; None if it does not, or without a pause."""
        if not self.active or self._end == math.inf:
            return None
        assert self._end is not None
        return max(0.0, self._end - time.monotonic())
