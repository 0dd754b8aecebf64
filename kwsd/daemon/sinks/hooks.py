"""Runs the user's commands on a trigger, each in a thread and a session of its own; nothing waits."""

import itertools
import logging
import math
import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from kwsd.daemon.events import Event
from kwsd.daemon.sinks.processes import OUT_OF_REACH, Family, adopt_orphans, reap_adopted
from kwsd.daemon.sinks.sink import Sink

MOST = 8  # hooks that may run at the same time
GRACE = 2.0  # seconds from being told to end to being killed
LAST = 1.0  # the same where kwsd itself ends, and seconds that a hook has before that
POLL = 0.05  # seconds between two looks at a running hook

log = logging.getLogger(__name__)


class Hooks(Sink):
    """Shell commands; one that runs for more than `timeout` seconds is ended, with all that it started.

    What a command leaves running when it ends by itself is left alone.
    """

    def __init__(self, commands: Sequence[str], timeout: float) -> None:
        self._commands = commands
        self._timeout = timeout
        self._ending = threading.Event()  # set when the time of all hooks is up
        self._running: set[threading.Thread] = set()
        self._counting = threading.Lock()
        self._families: dict[int, Family] = {}  # of the running commands, by their first process
        self._numbers = itertools.count()
        self._starting = threading.Lock()  # held while a process exists that is not in there yet
        self.run = self.failed = self.dropped = 0
        if commands:
            adopt_orphans()

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
        """Wait for the hooks that run; from when `hurry()` is true for LAST seconds more, then end them."""
        deadline = math.inf
        while running := [thread for thread in self._running if thread.is_alive()]:
            if hurry():
                deadline = min(deadline, time.monotonic() + LAST)
            if time.monotonic() >= deadline:
                self._ending.set()
            if time.monotonic() >= deadline + 2 * LAST:
                log.error("%d hooks cannot be ended: they are left behind", len(running))
                return
            running[0].join(POLL)

    def kill(self) -> None:
        """End all that runs, at once: this process is about to."""
        for _ in range(5):  # what is killed may just have started something
            alive = [family for family in list(self._families.values()) if family.alive()]
            for family in alive:
                family.kill()
            if not alive:
                break

    def reap(self) -> None:
        """Let go the processes that hooks have left, once they have ended."""
        with self._starting:
            reap_adopted(own=self._families)

    def _run(self, command: str, event: Event) -> None:
        started = time.monotonic()
        try:
            process = self._start(command, event)
        except (OSError, ValueError) as error:
            log.error("hook %r does not start: %s", command, error)
            self._count_failure()
            return
        assert process.stdin is not None
        with suppress(OSError):  # a hook need not read
            process.stdin.write(event.json().encode() + b"\n")
        process.stdin.close()
        while process.poll() is None and not self._ending.wait(POLL):
            if time.monotonic() - started > self._timeout:
                log.warning("hook %r is ended: it ran for more than %g s", command, self._timeout)
                break
        if process.returncode is None:
            self._end(self._families[process.pid], LAST if self._ending.is_set() else GRACE)
        try:
            code = process.wait(LAST)
        except subprocess.TimeoutExpired:  # it hangs in the kernel, on a disk for one
            log.error("hook %r cannot be ended: it is left behind", command)
            self._count_failure()
            return
        del self._families[process.pid]
        if code:
            self._count_failure()
        level = logging.WARNING if code else logging.INFO
        log.log(level, "hook %r: exit code %d, %.1f s", command, code, time.monotonic() - started)

    def _start(self, command: str, event: Event) -> "subprocess.Popen[bytes]":
        """Start the command as the first of a family. Raises OSError, and ValueError for a NUL in it."""
        with self._starting:
            mark = {"KWSD_HOOK": f"{os.getpid()}.{next(self._numbers)}"}
            process = subprocess.Popen(
                command,
                shell=True,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=2,  # standard output is for triggers
                env=os.environ | event.environment() | mark,
                start_new_session=True,
                creationflags=OUT_OF_REACH,
            )
            self._families[process.pid] = Family(process, mark)
        return process

    def _end(self, family: Family, grace: float) -> None:
        """Tell all of a family to end, and after `grace` seconds kill those left."""
        deadline = time.monotonic() + grace
        family.terminate()
        while family.alive() and time.monotonic() < deadline:
            time.sleep(POLL)
        deadline += LAST
        while family.alive() and time.monotonic() < deadline:
            family.kill()
            time.sleep(POLL / 10)

    def _count_failure(self) -> None:
        with self._counting:  # hooks end in threads of their own
            self.failed += 1
