"""Log lines: one line each, whatever a file or device is called."""

import logging
import sys

import pytest

from kwsd.daemon.logs import OneLine, say


def test_control_characters_of_a_message_are_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    say("cannot read 'a\nb\x1b[2J\u202e.wav'", logging.ERROR)
    assert capfd.readouterr().err == "kwsd: cannot read 'a\\nb\\x1b[2J\\u202e.wav'\n"


def test_a_traceback_keeps_its_lines() -> None:
    try:
        raise ValueError
    except ValueError:
        record = logging.LogRecord("kwsd", logging.ERROR, "", 0, "a\n%s", ("b\x07",), sys.exc_info())
    lines = OneLine("%(message)s").format(record).splitlines()
    assert lines[0] == r"a\nb\x07"
    assert lines[1].startswith("Traceback")
