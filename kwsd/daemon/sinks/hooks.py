"""Runs the user's commands on each trigger, each in its own thread and session."""

import itertools
import logging
import math
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO

from kwsd.daemon.events import Event
from kwsd.daemon.sinks.processes import NO_CTRL_C, Family, adopt_orphans, reap_adopted
from kwsd.daemon.sinks.sink import Sink

MAX_RUNNING = 8  # hooks that may run at the same time
TERMINATION_GRACE = 2.0  # seconds between SIGTERM and SIGKILL for a hook that timed out
SHUTDOWN_GRACE = 1.0  # seconds that hooks get to end when kwsd stops, then after SIGTERM, then after SIGKILL
PIPE_BYTES = 4096  # that every system's pipes hold
POLL_INTERVAL = 0.05  # seconds between two checks of a running hook

log = logging.getLogger(__name__)


class Hooks(Sink):
    """Runs shell commands. One that times out is terminated together with all processes it started.

    Processes that a command leaves running when it exits by itself are left alone.
    """

    def __init__(self, commands: Mapping[str, Sequence[str]], timeout: float) -> None:
        """commands: those of each keyword. timeout: seconds that each command may run."""
        self._timeout = timeout
        self._shutting_down = threading.Event()  # set when kwsd stops and the first grace is over
        self._threads: set[threading.Thread] = set()
        self._count_lock = threading.Lock()
        # the processes of each running command, by the pid of its first process
        self._families: dict[int, Family] = {}
        self._numbers = itertools.count()
        self._start_lock = threading.Lock()  # held while a process exists that is not in `_families` yet
        self.run = self.failed = self.dropped = 0  # numbers of hooks that were started, failed or dropped
        self._commands = commands

    def set_commands(self, commands: Mapping[str, Sequence[str]]) -> None:
        """Run these commands from now on, those of each keyword. Running ones go on."""
        self._commands = commands

    def on_trigger(self, event: Event) -> None:
        """Start every command of the keyword and return immediately."""
        for command in self._commands.get(event.keyword, ()):
            self.start(command, event.environment(), event.json().encode() + b"\n")

    def start(self, command: str, environment: Mapping[str, str], standard_input: bytes) -> None:
        """Start a command and return immediately. May be called from any thread.

        environment: added to that of this process.
        """
        with self._count_lock:
            self._threads = {thread for thread in self._threads if thread.is_alive()}
            if len(self._threads) >= MAX_RUNNING:
                log.warning("hook %r was dropped: %d hooks are still running", command, MAX_RUNNING)
                self.dropped += 1
                return
            arguments = (command, environment, standard_input)
            thread = threading.Thread(target=self._run, args=arguments, daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # no thread can be started
                log.error("hook %r failed to start: %s", command, error)
                self.failed += 1
                return
            self.run += 1
            self._threads.add(thread)

    def finish(self, stopping: Callable[[], bool]) -> None:
        """Wait for the running hooks. Once `stopping()` is true, give them SHUTDOWN_GRACE seconds."""
        deadline = math.inf
        while running := [thread for thread in self._threads if thread.is_alive()]:
            if stopping():
                deadline = min(deadline, time.monotonic() + SHUTDOWN_GRACE)
            if time.monotonic() >= deadline:
                self._shutting_down.set()
            if time.monotonic() >= deadline + 2 * SHUTDOWN_GRACE:
                log.error("%d hooks could not be killed and are left running", len(running))
                return
            running[0].join(POLL_INTERVAL)

    def kill(self) -> None:
        """Kill all running hooks immediately, because kwsd is about to exit."""
        if self._start_lock.acquire(timeout=SHUTDOWN_GRACE):  # one that is just being started is known then
            self._start_lock.release()
        for _ in range(5):  # more than once, as a process may start another one just before it is killed
            alive = [family for family in list(self._families.values()) if family.alive()]
            for family in alive:
                family.kill()
            if not alive:
                break

    def reap(self) -> None:
        """Collect the processes that hooks left behind and that have ended."""
        with self._start_lock:
            reap_adopted(own=self._families)

    def _run(self, command: str, environment: Mapping[str, str], standard_input: bytes) -> None:
        """Run a command until it ends, times out, or kwsd stops."""
        started = time.monotonic()
        try:
            process = self._start(command, environment)
        except (OSError, ValueError) as error:
            self._fail("hook %r failed to start: %s", command, error)
            return
        self._feed(process, command, standard_input)
        while process.poll() is None and not self._shutting_down.wait(POLL_INTERVAL):
            if time.monotonic() - started > self._timeout:
                log.warning("hook %r was terminated: it ran for more than %g s", command, self._timeout)
                break
        if process.returncode is None:
            grace = SHUTDOWN_GRACE if self._shutting_down.is_set() else TERMINATION_GRACE
            self._terminate(self._families[process.pid], grace)
        try:
            code = process.wait(SHUTDOWN_GRACE)
        except subprocess.TimeoutExpired:  # it is blocked in the kernel, by a disk for example
            self._fail("hook %r could not be killed and is left running", command)
            return
        del self._families[process.pid]
        line = ("hook %r: exit code %d, %.1f s", command, code, time.monotonic() - started)
        if code:
            self._fail(*line, level=logging.WARNING)
        else:
            log.info(*line)

    def _start(self, command: str, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start a command. Raises OSError, or ValueError if the command contains a NUL character."""
        adopt_orphans()  # so that a command that times out can be killed with all that it started
        with self._start_lock:
            # an environment variable by which `Family` recognizes what the command started
            mark = {"KWSD_HOOK": f"{os.getpid()}.{next(self._numbers)}"}
            process = subprocess.Popen(
                command,
                shell=True,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=2,  # to standard error: standard output is for triggers
                env=os.environ | environment | mark,
                start_new_session=True,
                creationflags=NO_CTRL_C,
            )
            self._families[process.pid] = Family(process, mark)
        return process

    def _feed(self, process: "subprocess.Popen[bytes]", command: str, standard_input: bytes) -> None:
        """Write the standard input of a command, in another thread if a pipe does not hold it all."""
        assert process.stdin is not None
        if len(standard_input) <= PIPE_BYTES:
            _write(process.stdin, standard_input)
            return
        try:
            threading.Thread(target=_write, args=(process.stdin, standard_input), daemon=True).start()
        except RuntimeError as error:  # no thread can be started
            process.stdin.close()
            self._fail("hook %r gets no standard input: %s", command, error)

    def _terminate(self, family: Family, grace: float) -> None:
        """Send SIGTERM to all processes of a hook, and SIGKILL to those left after `grace` seconds."""
        deadline = time.monotonic() + grace
        family.terminate()
        while family.alive() and time.monotonic() < deadline:
            time.sleep(POLL_INTERVAL)
        deadline += SHUTDOWN_GRACE
        while family.alive() and time.monotonic() < deadline:
            family.kill()
            time.sleep(POLL_INTERVAL / 10)

    def _fail(self, message: str, *values: object, level: int = logging.ERROR) -> None:
        """Log and count a failed hook. Called in the threads of the hooks as well."""
        with self._count_lock:
            self.failed += 1
        log.log(level, message, *values)


def _write(pipe: IO[bytes], content: bytes) -> None:
    """Write this and close the pipe. Its reader may close it first."""
    with suppress(OSError), pipe:
        rest = memoryview(content)
        while rest:
            rest = rest[pipe.write(rest) :]
