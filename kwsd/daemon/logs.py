"""Where log lines go: the journal, with their priorities; a terminal, in colour; else plain lines.

They are written by a thread of their own. Whoever logs a line never waits for the disk, pipe or terminal that
it goes to, and never fails because of it: a line that cannot be written is lost.
"""

import logging
import os
import queue
import sys
import threading
from contextlib import suppress

from kwsd.errors import one_line

WAITING = 1_000  # lines that may wait to be written
LAST = 1.0  # seconds that the end of the process waits for them

# sd-daemon(3); a line without one is informational
PRIORITIES = {logging.DEBUG: "<7>", logging.WARNING: "<4>", logging.ERROR: "<3>", logging.CRITICAL: "<2>"}


def begin() -> None:
    """Send what kwsd logs, from INFO on, to standard error."""
    handler: logging.Handler = StandardError()
    if os.isatty(2):
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="%X")
    handler.setFormatter(OneLine("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[Background(handler)])


def say(text: str, level: int) -> None:
    """Print the last line of a command."""
    root = logging.getLogger()
    if any(isinstance(handler, Background) for handler in root.handlers):
        root.log(level, text)
    else:
        _write(one_line(text), level)


class OneLine(logging.Formatter):
    """Control characters of a message, which may be those of a file or device name, are escaped."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return one_line(super().formatMessage(record))


class Background(logging.Handler):
    """Has another handler write the records, in a thread of its own."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._records: queue.Queue[logging.LogRecord] = queue.Queue(WAITING)
        self._lost = 0  # for want of room in the queue, since the last that found some
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._lost:
                text = "%d log lines are lost: too many waited to be written"
                lost = logging.LogRecord(__name__, logging.WARNING, "", 0, text, (self._lost,), None)
                self._records.put_nowait(lost)
                self._lost = 0
            self._records.put_nowait(record)
        except queue.Full:
            self._lost += 1

    def flush(self) -> None:
        """Wait until all is written, but not for long."""
        with self._records.all_tasks_done:
            self._records.all_tasks_done.wait_for(lambda: not self._records.unfinished_tasks, LAST)

    def _write_all(self) -> None:
        while True:
            record = self._records.get()
            with suppress(Exception):  # where could it be logged?
                self._handler.emit(record)  # not `handle`, whose lock the end of the process would wait for
            self._records.task_done()


class StandardError(logging.Handler):
    """Plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record), record.levelno)


def _write(text: str, level: int) -> None:
    """Write a line on standard error as it is at the moment: while the meter is drawn, on its console."""
    with suppress(OSError, ValueError):  # nobody reads, a full disk; ValueError: a stream that was closed
        line = f"{PRIORITIES.get(level, '') if _is_journal() else ''}kwsd: {text}\n"
        console = sys.platform == "win32" and os.isatty(2)  # takes text, and no bytes
        if sys.stderr is sys.__stderr__ and sys.stderr is not None and not console:
            # past Python's own buffer, whose lock the end of the process would wait for
            os.write(2, line.encode(sys.stderr.encoding, "backslashreplace"))
        elif sys.stderr is not None:
            sys.stderr.write(line)


def _is_journal() -> bool:
    """Whether standard error goes to systemd's journal ($JOURNAL_STREAM in systemd.exec(5))."""
    status = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
