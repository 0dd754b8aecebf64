"""The signals of a running listener. A thread ends the process, whatever the main thread waits for.

It is imported first of all, and imports little: a signal that comes before it would end the process.
"""

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

WAY_OUT = 5.0  # seconds from the order to end until the process ends, finished or not

HANG_UP, STATS, CHILD = (getattr(signal, name, None) for name in ("SIGHUP", "SIGUSR1", "SIGCHLD"))
END = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    END.append(signal.SIGBREAK)  # Ctrl-Break, or its console is closed


class Signals:
    """Catches signals as soon as it is made; has them handled once there is somebody to do it.

    Until then SIGINT and SIGTERM end the process with exit code 0, for there is nothing to finish; the others
    are kept. A second signal to end does not wait for what the first one began. SIGHUP is such a signal, too,
    where a terminal is used: it says that the terminal was closed.
    """

    def __init__(self) -> None:
        """Main thread only."""
        self._terminal = any(map(os.isatty, (0, 1, 2)))  # asked now: one that was closed is none
        self._handlers: dict[int | None, Callable[[], None]] | None = None
        self._child: Callable[[], None] = lambda: None
        self._abandon: Callable[[str], None] = lambda _reason: None
        self._early: list[int] = []
        self._told_to_end = False
        self._limited = False
        self._caught, caught = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(caught, False)
        signal.set_wakeup_fd(caught, warn_on_full_buffer=False)
        for number in (*END, HANG_UP, STATS, CHILD):
            if number is not None:
                signal.signal(number, self._handle)
                if sys.platform != "win32":
                    signal.siginterrupt(number, False)
        _thread.start_new_thread(self._watch, ())  # threading is slow to import

    def handle(
        self,
        stop: Callable[[], None],
        reload: Callable[[], None],
        stats: Callable[[], None],
        child: Callable[[], None],
        abandon: Callable[[str], None],
    ) -> None:
        """Call these from now on.

        `stop`, to begin to end: in the main thread and in another, if the main thread waits. `reload` and
        `stats`: in the main thread. `child`, when a child has ended, and `abandon`: in another. `abandon`:
        the process ends in this moment; it is given the reason, if that is not the user's wish.
        """
        self._child, self._abandon = child, abandon
        self._handlers = {HANG_UP: stop if self._terminal else reload, STATS: stats}
        self._handlers |= dict.fromkeys(END, stop)
        for number in self._early:
            self._handlers[number]()

    def limit_way_out(self) -> None:
        """End the process WAY_OUT seconds after the first call, if it is still there."""
        if not self._limited:
            self._limited = True
            _thread.start_new_thread(self._end_late, ())

    def _end_late(self) -> None:
        time.sleep(WAY_OUT)
        self._leave(1, f"not finished {WAY_OUT:g} s after the order to end: ended unfinished")

    def _handle(self, number: int, _frame: object) -> None:
        """Runs in the main thread, between two steps of Python."""
        if self._handlers is None:
            self._early += [number] if number in (HANG_UP, STATS) else []
        elif number in self._handlers:
            self._handlers[number]()

    def _watch(self) -> None:
        """Runs in its own thread: what must happen even if the main thread waits for something."""
        while True:
            for number in dict.fromkeys(os.read(self._caught, 4096)):
                if number == CHILD:
                    self._child()
                elif number in END or (number == HANG_UP and self._terminal):
                    self._end(number)

    def _end(self, number: int) -> None:
        if self._handlers is None:
            self._leave(0)
        if self._told_to_end and number in END:
            self._leave(128 + number)
        self._told_to_end = self._told_to_end or number in END
        self.limit_way_out()
        self._handlers[number]()

    def _leave(self, code: int, reason: str = "") -> NoReturn:
        """End the process now, without what Python does at an exit, which might wait."""
        import logging

        self._abandon(reason)
        if not self._told_to_end or reason:
            logging.shutdown()  # writes the last lines, if that takes no time
        os._exit(code)
