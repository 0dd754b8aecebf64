import logging
import os
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from harness import wait_for

from kwsd.daemon import hooks
from kwsd.daemon.events import Event
from kwsd.daemon.hooks import MOST, Hooks

EVENT = Event("word", 0.9, 1.5, datetime(2030, 1, 2, tzinfo=UTC), "word.pt")
PATIENT = 60.0  # seconds


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(hooks, "GRACE", 0.2)
    caplog.set_level(logging.INFO)


def run(command: str, timeout: float = PATIENT) -> None:
    runner = Hooks([command], timeout)
    runner.on_trigger(EVENT)
    runner.finish(hurry=lambda: False)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_exit_codes_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    run("exit 3")
    run("true")
    assert [(record.levelname, record.getMessage().split(",")[0]) for record in caplog.records] == [
        ("WARNING", "hook 'exit 3': exit code 3"),
        ("INFO", "hook 'true': exit code 0"),
    ]


@pytest.mark.parametrize("trap", ["", "trap '' TERM;"])
def test_a_hook_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trap: str
) -> None:
    """One that ignores being told to end is killed."""
    run(f"{trap} sleep 1000 & echo $! > {tmp_path}/child; {trap} sleep 1000; sleep 1000", timeout=0.3)
    assert "ran for more than 0.3 s" in caplog.text
    child = int((tmp_path / "child").read_text())
    wait_for("the child's end", lambda: gone(child))


def test_hooks_that_hang_delay_nothing_and_what_is_too_much_is_dropped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = Hooks(["sleep 1000"], PATIENT)
    for _ in range(100):
        runner.on_trigger(EVENT)
    assert caplog.text.count("is dropped") == 100 - MOST
    started = time.monotonic()
    runner.finish(hurry=lambda: True)
    assert time.monotonic() - started < PATIENT / 2
    assert caplog.text.count(f"exit code -{signal.SIGTERM:d}") == MOST


def test_a_hook_need_not_read_and_its_words_are_no_part_of_the_command(tmp_path: Path) -> None:
    event = Event("$(touch pwned); `id`", 0.9, 1.5, EVENT.time, "word.pt")
    runner = Hooks([f'cd {tmp_path}; exec < /dev/null; echo "$KWSD_KEYWORD" > said'], PATIENT)
    runner.on_trigger(event)
    runner.finish(hurry=lambda: False)
    assert (tmp_path / "said").read_text() == "$(touch pwned); `id`\n"
    assert os.listdir(tmp_path) == ["said"]  # noqa: PTH208
