"""Log lines: one line each; written where that is possible, lost where not, waited for by nobody."""

import logging
import sys
import threading
from collections.abc import Iterator

import pytest
from harness import wait_for

from kwsd.daemon import logs
from kwsd.daemon.logs import QUEUE_SIZE, BackgroundHandler, OneLineFormatter, say


class Handler(logging.Handler):
    """Keeps the messages that it may let through."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.open = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.open.wait()
        self.messages.append(record.getMessage())


@pytest.fixture
def handler() -> Iterator[Handler]:
    made = Handler()
    yield made
    made.open.set()


def test_nobody_waits_for_a_reader(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is counted, and said when there is room again."""
    monkeypatch.setattr(logs, "FLUSH_TIMEOUT", 0.01)
    log = logging.Logger("test")
    background = BackgroundHandler(handler)
    log.addHandler(background)
    log.info("first")
    wait_for("the first to be taken", background._records.empty)
    for number in range(QUEUE_SIZE + 3):
        log.info("line %d", number)
    background.flush()  # comes back
    handler.open.set()
    wait_for("the rest", lambda: len(handler.messages) == 1 + QUEUE_SIZE)
    log.info("last")
    wait_for("the last", lambda: "last" in handler.messages)
    assert handler.messages[-2] == "3 log lines were dropped: they could not be written fast enough"


def test_a_line_that_cannot_be_written_ends_no_thread(handler: Handler) -> None:
    handler.open.set()
    log = logging.Logger("test")
    background = BackgroundHandler(handler)
    log.addHandler(background)
    emit, handler.emit = handler.emit, lambda _: (_ for _ in ()).throw(OSError(28, "full"))  # type: ignore[method-assign]
    log.info("lost")
    background.flush()
    handler.emit = emit  # type: ignore[method-assign]
    log.info("kept")
    background.flush()
    assert handler.messages == ["kept"]


def test_control_characters_of_a_message_are_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    say("cannot read 'a\nb\x1b[2J\u202e.wav'", logging.ERROR)
    assert capfd.readouterr().err == "kwsd: cannot read 'a\\nb\\x1b[2J\\u202e.wav'\n"


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError
    except ValueError:
        record = logging.LogRecord("kwsd", logging.ERROR, "", 0, "a\n%s", ("b\x07",), sys.exc_info())
    lines = OneLineFormatter("%(message)s").format(record).splitlines()
    assert lines[0] == r"a\nb\x07"
    assert lines[1].startswith("Traceback")
