"""Where log lines go: the journal, with their priorities; a terminal, in colour; else plain lines."""

import logging
import os
import sys

# sd-daemon(3); a line without one is informational
PRIORITIES = {logging.DEBUG: "<7>", logging.WARNING: "<4>", logging.ERROR: "<3>", logging.CRITICAL: "<2>"}


def begin() -> None:
    """Send what kwsd logs, from INFO on, to standard error."""
    handler: logging.Handler = StandardError()
    if os.isatty(2):
        from rich.console import Console
        from rich.logging import RichHandler

        handler = RichHandler(console=Console(stderr=True), show_path=False, log_time_format="%X")
    logging.basicConfig(level=logging.INFO, handlers=[handler], format="%(message)s")


def say(text: str, level: int) -> None:
    """Print a line on what standard error is at the moment: while the meter is drawn, its console."""
    if sys.stderr is not None:  # None: closed by who started us
        priority = PRIORITIES.get(level, "") if _is_journal() else ""
        print(f"{priority}kwsd: {text}", file=sys.stderr)


class StandardError(logging.Handler):
    """Plain lines."""

    def emit(self, record: logging.LogRecord) -> None:
        say(self.format(record), record.levelno)


def _is_journal() -> bool:
    """Whether standard error goes to systemd's journal ($JOURNAL_STREAM in systemd.exec(5))."""
    status = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
