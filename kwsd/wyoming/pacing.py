"""Reads the messages of many clients at once, which takes almost half of the CPU time off a busy service."""

import asyncio
import selectors
import time

PACE_SECONDS = 0.02  # that messages are gathered for: a quarter of what a detector works on at a time


class PacedSelector(selectors.DefaultSelector):
    """Waits a little after the first message, for those of other clients, unless there is other work to do.

    A hundred satellites send 1,560 messages a second. Waking up for each costs more than to read it.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """The files that are ready, as `selectors.BaseSelector.select` gives them."""
        ready = super().select(timeout)
        if ready and timeout != 0:  # 0: work waits
            time.sleep(PACE_SECONDS)
            ready = super().select(0)
        return ready


def paced_loop() -> asyncio.AbstractEventLoop:
    """A new event loop with a `PacedSelector`."""
    return asyncio.SelectorEventLoop(PacedSelector())
