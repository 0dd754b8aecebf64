"""The processes that a command leaves behind, found in Linux's /proc."""

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

# creation flags of a child that Ctrl-C does not reach on Windows, as it has no sessions
OUT_OF_REACH = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


@dataclass(frozen=True)
class Process:
    """A process; the time of its start tells it from a later one of the same number."""

    pid: int
    started: int  # clock ticks since boot


@dataclass(frozen=True)
class Status:
    """What /proc says of a process."""

    parent: int
    session: int
    zombie: bool


def adopt_orphans() -> None:
    """Make this process the parent of its descendants whose own parent ends, in the place of init."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def processes() -> dict[Process, Status]:
    """All processes."""
    found = {}
    for entry in os.scandir("/proc") if sys.platform == "linux" else ():
        if entry.name.isdigit():
            try:
                fields = Path(entry.path, "stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # it ended just now
                continue
            zombie = fields[0] in (b"Z", b"X")
            process = Process(int(entry.name), started=int(fields[19]))
            found[process] = Status(parent=int(fields[1]), session=int(fields[3]), zombie=zombie)
    return found


class Family:
    """A command's processes: the leader of its session, all in that session, and all descendants of these.

    A descendant in a session of its own whose parent has ended is known by a mark, a variable of the
    environment that the command began with. On macOS the leader's process group is all, on Windows the leader
    and its descendants while it lives.
    """

    def __init__(self, leader: "subprocess.Popen[bytes]", mark: Mapping[str, str]) -> None:
        """`leader`: a child of this process, which must not be waited for while the family is in use."""
        ((name, value),) = mark.items()
        self._leader = leader
        self._mark = f"{name}={value}".encode()
        self._members: set[Process] = set()

    def alive(self) -> bool:
        """Whether any of them lives."""
        if sys.platform == "linux":
            self._find()
            return bool(self._members)
        if sys.platform == "win32":
            return self._leader.poll() is None
        try:
            os.killpg(self._leader.pid, 0)
        except (ProcessLookupError, PermissionError):  # no permission: macOS, where only a zombie is left
            return False
        return True

    def terminate(self) -> None:
        """Tell all of them to end; on Windows they are killed."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Kill all of them."""
        self._send(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _send(self, number: signal.Signals) -> None:
        if sys.platform == "win32":
            line = ["taskkill", "/T", "/F", "/PID", str(self._leader.pid)]
            with suppress(FileNotFoundError):
                subprocess.run(line, capture_output=True, check=False)
            return
        self._find()
        strangers = [one.pid for one in self._members if _group(one.pid) != self._leader.pid]
        with suppress(ProcessLookupError, PermissionError):  # no permission: see `alive`
            os.killpg(self._leader.pid, number)
        for pid in strangers:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _find(self) -> None:
        """Find the living members: those of before, and whatever belongs to them."""
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
    """Take the exit codes of adopted processes, which stay as zombies otherwise.

    `own`: children that another waits for. So does somebody for what is in this process's own session: a
    library that has started it.
    """
    if sys.platform != "linux":  # nothing is adopted there
        return
    kept, session = set(own), os.getsid(0)
    for process, status in processes().items():
        adopted = status.parent == os.getpid() and status.session != session
        if status.zombie and adopted and process.pid not in kept:
            os.waitpid(process.pid, os.WNOHANG)


def _group(pid: int) -> int:
    if sys.platform == "win32":  # it has none
        return 0
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _has(process: Process, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or belongs to another user
        return False
