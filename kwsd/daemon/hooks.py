"""Runs the user's commands on a trigger, each in a thread and a session of its own; nothing waits."""

import logging
import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from kwsd.daemon.events import Event

MOST = 8  # hooks that may run at the same time
GRACE = 2.0  # seconds from being told to end to being killed
POLL = 0.05  # seconds between two looks at a running hook

log = logging.getLogger(__name__)


class Hooks:
    """Shell commands; one that runs for more than `timeout` seconds is ended, with all that it started."""

    def __init__(self, commands: Sequence[str], timeout: float) -> None:
        self._commands = commands
        self._timeout = timeout
        self._ending = threading.Event()  # set when the time of all hooks is up
        self._running: set[threading.Thread] = set()
        self._counting = threading.Lock()
        self.run = self.failed = self.dropped = 0

    def on_trigger(self, event: Event) -> None:
        """Start every command and return at once."""
        for command in self._commands:
            self._running = {thread for thread in self._running if thread.is_alive()}
            if len(self._running) >= MOST:
                log.warning("hook %r is dropped: %d hooks still run", command, MOST)
                self.dropped += 1
                continue
            thread = threading.Thread(target=self._run, args=(command, event), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no thread to be had
                log.error("hook %r does not start: %s", command, error)
                self._count_failure()
                continue
            self.run += 1
            self._running.add(thread)

    def finish(self, hurry: Callable[[], bool]) -> None:
        """Wait for the hooks that run; from when `hurry()` is true for GRACE seconds more, then end them."""
        deadline = math.inf
        while running := [thread for thread in self._running if thread.is_alive()]:
            if hurry():
                deadline = min(deadline, time.monotonic() + GRACE)
            if time.monotonic() >= deadline:
                self._ending.set()
            running[0].join(POLL)

    def _run(self, command: str, event: Event) -> None:
        started = time.monotonic()
        try:
            process = subprocess.Popen(
                command,
                shell=True,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=2,  # standard output is for triggers
                env=os.environ | event.environment(),
                start_new_session=True,
            )
        except OSError as error:
            log.error("hook %r does not start: %s", command, error)
            self._count_failure()
            return
        assert process.stdin is not None
        with suppress(BrokenPipeError):  # a hook need not read
            process.stdin.write(event.json().encode() + b"\n")
        process.stdin.close()
        while process.poll() is None and not self._ending.wait(POLL):
            if time.monotonic() - started > self._timeout:
                log.warning("hook %r is ended: it ran for more than %g s", command, self._timeout)
                break
        if process.poll() is None:
            _end(process)
        if process.returncode:
            self._count_failure()
        level = logging.WARNING if process.returncode else logging.INFO
        log.log(
            level, "hook %r: exit code %d, %.1f s", command, process.returncode, time.monotonic() - started
        )

    def _count_failure(self) -> None:
        with self._counting:  # hooks end in threads of their own
            self.failed += 1


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Send TERM to the process and all in its group, and after GRACE seconds KILL to those left."""
    deadline = time.monotonic() + GRACE
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            process.poll()  # reaps it: a zombie still counts as one of its group
            os.killpg(process.pid, 0)
            time.sleep(POLL)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
