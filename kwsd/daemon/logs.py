"""Writes log lines: with priorities to systemd's journal, in color to a terminal, else as plain text.

A separate thread writes them. A thread that logs a line never waits for the disk, pipe or terminal, and never
fails because of it: a line that cannot be written is dropped.
"""

import logging
import os
import queue
import sys
import threading
from contextlib import suppress

from kwsd.errors import one_line

QUEUE_SIZE = 1_000  # lines that may wait to be written
FLUSH_TIMEOUT = 1.0  # seconds that the process waits for them when it exits

# the prefixes of sd-daemon(3); a line without a prefix has the priority INFO
PRIORITIES = {logging.DEBUG: "<7>", logging.WARNING: "<4>", logging.ERROR: "<3>", logging.CRITICAL: "<2>"}


def begin() -> None:
    """Send log lines of level INFO and above to standard error."""
    handler: logging.Handler = StandardErrorHandler()
    if os.isatty(2):
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="%X")
    handler.setFormatter(OneLineFormatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[BackgroundHandler(handler)])


def say(text: str, level: int) -> None:
    """Write a line to the log if `begin` was called, else directly to standard error."""
    root = logging.getLogger()
    if any(isinstance(handler, BackgroundHandler) for handler in root.handlers):
        root.log(level, text)
    else:
        _write(one_line(text), level)


class OneLineFormatter(logging.Formatter):
    """Escapes control characters, which may come from a file name or a device name."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return one_line(super().formatMessage(record))


class BackgroundHandler(logging.Handler):
    """Passes records to another handler in a separate thread."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._records: queue.Queue[logging.LogRecord] = queue.Queue(QUEUE_SIZE)
        self._dropped = 0  # records that did not fit in the queue, since one last did
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if self._dropped:
                text = "%d log lines were dropped: they could not be written fast enough"
                self._records.put_nowait(
                    logging.LogRecord(__name__, logging.WARNING, "", 0, text, (self._dropped,), None)
                )
                self._dropped = 0
            self._records.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Wait until all records are written, for FLUSH_TIMEOUT seconds at most."""
        with self._records.all_tasks_done:
            self._records.all_tasks_done.wait_for(lambda: not self._records.unfinished_tasks, FLUSH_TIMEOUT)

    def _write_all(self) -> None:
        while True:
            record = self._records.get()
            with suppress(Exception):  # there is no place left to report it
                self._handler.emit(record)  # not `handle`: its lock would delay the exit of the process
            self._records.task_done()


class StandardErrorHandler(logging.Handler):
    """Writes plain lines to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        _write(self.format(record), record.levelno)


def _write(text: str, level: int) -> None:
    """Write a line to the current standard error, which is rich's console while the meter is shown."""
    with suppress(OSError, ValueError):  # a full disk or a closed pipe; ValueError: a closed stream
        line = f"{PRIORITIES.get(level, '') if _is_journal() else ''}kwsd: {text}\n"
        windows_console = sys.platform == "win32" and os.isatty(2)  # accepts text, not bytes
        if sys.stderr is sys.__stderr__ and sys.stderr is not None and not windows_console:
            # not through Python's buffer: its lock would delay the exit of the process
            os.write(2, line.encode(sys.stderr.encoding, "backslashreplace"))
        elif sys.stderr is not None:
            sys.stderr.write(line)


def _is_journal() -> bool:
    """Whether standard error is connected to systemd's journal ($JOURNAL_STREAM in systemd.exec(5))."""
    status = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
