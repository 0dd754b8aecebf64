"""Signal handling of the listener. A separate thread ends the process even if the main thread is blocked.

This module is imported before all others and imports little, because a signal that arrives earlier kills the
process.
"""

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import NoReturn

SHUTDOWN_TIMEOUT = 5.0  # seconds from the request to stop until the process exits, finished or not

# these signals do not exist on Windows
RELOAD, STATISTICS, CHILD = (getattr(signal, name, None) for name in ("SIGHUP", "SIGUSR1", "SIGCHLD"))
STOP = [signal.SIGINT, signal.SIGTERM]
if sys.platform == "win32":
    STOP.append(signal.SIGBREAK)  # Ctrl-Break, or the console was closed


class Signals:
    """Catches signals as soon as it is constructed, and calls handlers once `handle` has set them.

    Before that, SIGINT and SIGTERM end the process with exit code 0, because there is nothing to clean up,
    and the other signals are handled later. A second SIGINT or SIGTERM exits at once. When a standard stream
    is a terminal, SIGHUP means that the terminal was closed, and stops kwsd too.
    """

    def __init__(self) -> None:
        """Install the handlers. Must be called in the main thread."""
        self._has_terminal = any(map(os.isatty, (0, 1, 2)))  # checked now, before a terminal can be closed
        self._handlers: dict[int | None, Callable[[], None]] | None = None
        self._on_child: Callable[[], None] = lambda: None
        self._on_exit: Callable[[str], None] = lambda _reason: None
        self._early: list[int] = []  # signals from before `handle` was called
        self._stop_requested = False
        self._shutdown_is_limited = False
        self._wakeup, write_end = os.pipe()
        if sys.platform != "win32":
            os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        for number in (*STOP, RELOAD, STATISTICS, CHILD):
            if number is not None:
                signal.signal(number, self._handle)
                if sys.platform != "win32":
                    signal.siginterrupt(number, False)
        _thread.start_new_thread(self._watch, ())  # the threading module would be slow to import

    def handle(
        self,
        stop: Callable[[], None],
        reload: Callable[[], None],
        statistics: Callable[[], None],
        child: Callable[[], None],
        before_exit: Callable[[str], None],
    ) -> None:
        """Set the handlers, and call them for the signals that arrived earlier.

        stop: called in the main thread, and also in another thread in case the main thread is blocked.
        reload, statistics: called in the main thread.
        child: called in another thread when a child process has ended.
        before_exit: called in another thread when the process is about to exit without finishing. Its
        argument is the reason, or empty if the user requested it.
        """
        self._on_child, self._on_exit = child, before_exit
        self._handlers = {RELOAD: stop if self._has_terminal else reload, STATISTICS: statistics}
        self._handlers |= dict.fromkeys(STOP, stop)
        for number in self._early:
            self._handlers[number]()

    def limit_shutdown(self) -> None:
        """Exit SHUTDOWN_TIMEOUT seconds after the first call if the process still runs then."""
        if not self._shutdown_is_limited:
            self._shutdown_is_limited = True
            _thread.start_new_thread(self._time_out, ())

    def _time_out(self) -> None:
        time.sleep(SHUTDOWN_TIMEOUT)
        self._exit(1, f"shutdown timeout: kwsd did not finish within {SHUTDOWN_TIMEOUT:g} s, and exits now")

    def _handle(self, number: int, _frame: object) -> None:
        """Runs in the main thread, between two Python instructions."""
        if self._handlers is None:
            self._early += [number] if number in (RELOAD, STATISTICS) else []
        elif number in self._handlers:
            self._handlers[number]()

    def _watch(self) -> None:
        """Runs in a separate thread, for what must happen even if the main thread is blocked."""
        while True:
            for number in dict.fromkeys(os.read(self._wakeup, 4096)):
                if number == CHILD:
                    self._on_child()
                elif number in STOP or (number == RELOAD and self._has_terminal):
                    self._stop(number)

    def _stop(self, number: int) -> None:
        if self._handlers is None:
            self._exit(0)
        if self._stop_requested and number in STOP:
            self._exit(128 + number)
        self._stop_requested = self._stop_requested or number in STOP
        self.limit_shutdown()
        self._handlers[number]()

    def _exit(self, code: int, reason: str = "") -> NoReturn:
        """Exit now, without Python's own cleanup, which might block."""
        import logging

        self._on_exit(reason)
        if not self._stop_requested or reason:
            logging.shutdown()  # writes the last lines, for a second at most
        os._exit(code)
