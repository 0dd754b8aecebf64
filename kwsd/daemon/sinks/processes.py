"""Finds and kills all processes that a command has started, with the help of Linux's /proc."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)

# creation flags for a child that Ctrl-C must not interrupt on Windows, which has no sessions
NO_CTRL_C = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


@dataclass(frozen=True)
class Process:
    """A process. Its start time distinguishes it from a later process with the same pid."""

    pid: int
    started: int  # clock ticks since boot


@dataclass(frozen=True)
class Status:
    """The state of a process, from /proc."""

    parent: int  # pid
    session: int
    zombie: bool


def adopt_orphans() -> None:
    """Make this process, not init, the new parent of descendants whose parent has ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def processes() -> dict[Process, Status]:
    """All processes of the machine; none on systems other than Linux."""
    found = {}
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # it has just ended
                continue
            zombie = fields[0] in (b"Z", b"X")
            process = Process(int(entry.name), started=int(fields[19]))
            found[process] = Status(parent=int(fields[1]), session=int(fields[3]), zombie=zombie)
    return found


class Family:
    """The processes of a command: its session leader, all processes in that session, and all descendants.

    A descendant that has started its own session and whose parent has ended is recognized by a mark: an
    environment variable that only this command was started with. On macOS a family is the leader's process
    group only, and on Windows the leader and its descendants while the leader runs.
    """

    def __init__(self, leader: "subprocess.Popen[bytes]", mark: Mapping[str, str]) -> None:
        """leader: a child of this process. Do not wait for it while the family is in use."""
        ((name, value),) = mark.items()
        self._leader = leader
        self._mark = f"{name}={value}".encode()
        self._members: set[Process] = set()

    def alive(self) -> bool:
        """Whether any of the processes is still running."""
        if sys.platform == "linux":
            self._find()
            return bool(self._members)
        if sys.platform == "win32":
            return self._leader.poll() is None
        try:
            os.killpg(self._leader.pid, 0)
        except (ProcessLookupError, PermissionError):  # macOS gives PermissionError for a zombie
            return False
        return True

    def terminate(self) -> None:
        """Send SIGTERM to all processes; on Windows kill them."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill all processes."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _send(self, number: signal.Signals) -> None:
        if sys.platform == "win32":
            line = ["taskkill", "/T", "/F", "/PID", str(self._leader.pid)]
            with suppress(FileNotFoundError):
                subprocess.run(line, capture_output=True, check=False)
            return
        self._find()
        with suppress(ProcessLookupError, PermissionError):  # PermissionError: see `alive`
            os.killpg(self._leader.pid, number)
        for pid in (member.pid for member in self._members):
            if _group(pid) != self._leader.pid:  # asked now, as it may have left the group until just before
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)

    def _find(self) -> None:
        """Update the running members: those found before, and all processes that belong to them."""
        everything, leader = processes(), self._leader.pid
        family = {process for process in self._members if process in everything}
        for process, status in everything.items():
            orphan = status.parent == os.getpid() and process.pid != leader
            if leader in (process.pid, status.session) or (orphan and _has(process, self._mark)):
                family.add(process)
        children: dict[int, list[Process]] = {}
        for process, status in everything.items():
            children.setdefault(status.parent, []).append(process)
        unseen = list(family)
        while unseen:
            found = set(children.get(unseen.pop().pid, ())) - family
            family |= found
            unseen += found
        self._members = {process for process in family if not everything[process].zombie}


def reap_adopted(own: Iterable[int]) -> None:
    """Collect the exit codes of adopted processes that have ended, which would otherwise stay as zombies.

    own: pids of children that something else waits for. Children in this process's own session are skipped
    too, because the library that started one waits for it.
    """
    if sys.platform != "linux":  # processes are adopted on Linux only
        return
    skipped, session = set(own), os.getsid(0)
    for process, status in processes().items():
        adopted = status.parent == os.getpid() and status.session != session
        if status.zombie and adopted and process.pid not in skipped:
            os.waitpid(process.pid, os.WNOHANG)


def _group(pid: int) -> int:
    """The process group of a process; 0 if it has ended, and on Windows."""
    if sys.platform == "win32":
        return 0
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _has(process: Process, mark: bytes) -> bool:
    """Whether the process was started with this mark in its environment."""
    try:
        return mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it has ended, or belongs to another user
        return False
