import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from harness import gone, wait_for

from kwsd.daemon.events import Event
from kwsd.daemon.sinks import hooks
from kwsd.daemon.sinks.hooks import MAX_RUNNING, Hooks
from kwsd.daemon.sinks.processes import PR_SET_CHILD_SUBREAPER, Family

EVENT = Event("word", 0.9, 1.5, datetime(2030, 1, 2, tzinfo=UTC), "word.pt")
PATIENT = 60.0  # seconds


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    monkeypatch.setattr(hooks, "TERMINATION_GRACE", 0.2)
    caplog.set_level(logging.INFO)
    yield
    if sys.platform == "linux":  # orphans of other tests are not for this process
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def run(command: str, timeout: float = PATIENT) -> None:
    runner = Hooks({"word": [command]}, timeout)
    runner.on_trigger(EVENT)
    runner.finish(stopping=lambda: False)


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
    runner = Hooks({"word": ["sleep 1000"]}, PATIENT)
    for _ in range(100):
        runner.on_trigger(EVENT)
    assert caplog.text.count("was dropped") == 100 - MAX_RUNNING
    started = time.monotonic()
    runner.finish(stopping=lambda: True)
    assert time.monotonic() - started < PATIENT / 2
    assert caplog.text.count(f"exit code -{signal.SIGTERM:d}") == MAX_RUNNING


def test_a_hook_need_not_read_and_its_words_are_no_part_of_the_command(tmp_path: Path) -> None:
    event = Event(keyword := "$(touch pwned); `id`", 0.9, 1.5, EVENT.time, "word.pt")
    runner = Hooks({keyword: [f'cd {tmp_path}; exec < /dev/null; echo "$KWSD_KEYWORD" > said']}, PATIENT)
    runner.on_trigger(event)
    runner.finish(stopping=lambda: False)
    assert (tmp_path / "said").read_text() == "$(touch pwned); `id`\n"
    assert os.listdir(tmp_path) == ["said"]  # noqa: PTH208


def pids(folder: Path) -> list[int]:
    """Of the processes that a hook wrote down."""
    return [int(word) for path in folder.glob("*.pid") for word in path.read_text().split()]


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    "command",
    [
        "setsid -w sh -c 'echo $$ > a.pid; sleep 1000'",
        "setsid sh -c 'echo $$ > a.pid; exec sleep 1000' & sleep 1000",
        "(setsid sh -c 'echo $$ > a.pid; exec sleep 1000' &); sleep 1000",  # its parent has ended
        "(setsid sh -c 'trap \"\" TERM HUP; echo $$ > a.pid; sleep 1000; sleep 1000' &); sleep 1000",
        "(setsid sh -c '(setsid sh -c \"echo \\$\\$ > a.pid; sleep 1000\" &) ; sleep 1000' &); sleep 1000",
        "trap '' TERM; setsid env -i sh -c 'echo $$ > a.pid; exec sleep 1000' & sleep 1000; sleep 1000",
    ],
)
def test_a_hook_that_ran_out_of_time_leaves_no_descendant(tmp_path: Path, command: str) -> None:
    """In whatever session it is, and though no keyword has a hook: it may be the command after the word."""
    runner = Hooks({}, PATIENT)
    runner.start(f"cd {tmp_path}; {command}", {}, b"")
    (pid,) = wait_for("the descendant", lambda: pids(tmp_path))
    runner._timeout = 0.0
    runner.finish(stopping=lambda: False)
    wait_for("the descendant's end", lambda: gone(pid))


def test_what_a_hook_leaves_running_when_it_ends_in_time_stays(tmp_path: Path) -> None:
    """A player in the background, say."""
    start = "setsid sh -c 'echo $$ > a.pid; exec sleep 1000' &"
    run(f"cd {tmp_path}; {start} while ! [ -s a.pid ]; do sleep 0.01; done")
    (pid,) = pids(tmp_path)
    assert not gone(pid)
    os.kill(pid, signal.SIGKILL)


def test_a_hook_that_forks_400_times_is_ended_with_all_of_them(tmp_path: Path) -> None:
    """Each in a session of its own."""
    fork = (
        "for i in $(seq 400); do setsid sh -c 'echo $$ > '$i'.pid; exec sleep 1000' & done; touch all; wait"
    )
    runner = Hooks({"word": [f"cd {tmp_path}; {fork}"]}, PATIENT)
    runner.on_trigger(EVENT)
    wait_for("the forks", lambda: len(pids(tmp_path)) == 400)
    runner.finish(stopping=lambda: True)
    wait_for("their end", lambda: all(map(gone, pids(tmp_path))))


def test_a_hook_leads_a_session_and_a_group_of_its_own(tmp_path: Path) -> None:
    """Ctrl-C in kwsd's terminal is not for it, and it can be ended with all that it started."""
    run(f"cut -d' ' -f1,5,6 /proc/$$/stat > {tmp_path}/ids")
    pid, group, session = (tmp_path / "ids").read_text().split()
    assert pid == group == session != str(os.getsid(0))


def test_what_hooks_left_behind_is_reaped_and_hooks_have_their_exit_codes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As by the kernel's order where kwsd is PID 1, where else by its own wish."""
    runner = Hooks({"word": [f"cd {tmp_path}; sleep 0.1 & echo $! > $$.pid; exit 7"]}, PATIENT)
    for _ in range(5):
        runner.on_trigger(EVENT)
    wait_for("the orphans", lambda: len(pids(tmp_path)) == 5)

    def reaped() -> bool:
        runner.reap()
        return not any(Path(f"/proc/{pid}").exists() for pid in pids(tmp_path))

    wait_for("the orphans' end", reaped)
    runner.finish(stopping=lambda: False)
    assert caplog.text.count("exit code 7") == 5


def test_a_hook_that_is_just_being_started_is_killed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(*arguments: Any) -> Family:
        time.sleep(0.5)  # the process runs, and its family is not known yet
        return Family(*arguments)

    monkeypatch.setattr(hooks, "Family", slow)
    runner = Hooks({"word": [f"cd {tmp_path}; echo $$ > a.pid; sleep 1000"]}, PATIENT)
    runner.on_trigger(EVENT)
    wait_for("the hook", lambda: pids(tmp_path))
    runner.kill()
    (pid,) = pids(tmp_path)
    wait_for("its end", lambda: gone(pid))


def test_at_the_very_end_all_hooks_are_killed(tmp_path: Path) -> None:
    runner = Hooks(
        {"word": [f"cd {tmp_path}; trap '' TERM; setsid sleep 1000 & echo $! > a.pid; wait; sleep 1000"]},
        PATIENT,
    )
    runner.on_trigger(EVENT)
    wait_for("the hook", lambda: pids(tmp_path))
    runner.kill()
    (pid,) = pids(tmp_path)
    wait_for("its end", lambda: gone(pid))
