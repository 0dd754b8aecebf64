"""The processes that a command leaves behind, found in Linux's /proc."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


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
    environment that the command began with. Elsewhere than on Linux the leader's process group is all.
    """

    def __init__(self, leader: int, mark: Mapping[str, str]) -> None:
        """`leader`: a child of this process, which must not be waited for while the family is in use."""
        ((name, value),) = mark.items()
        self._leader = leader
        self._mark = f"{name}={value}".encode()
        self._members: set[Process] = set()

    def alive(self) -> bool:
        """Whether any of them lives."""
        if sys.platform != "linux":
            return self._group_alive()
        self._find()
        return bool(self._members)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all of them."""
        self._find()
        strangers = [one.pid for one in self._members if _group(one.pid) != self._leader]
        with suppress(ProcessLookupError):
            os.killpg(self._leader, number)
        for pid in strangers:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def _find(self) -> None:
        """Find the living members: those of before, and whatever belongs to them."""
        everything = processes()
        family = {process for process in self._members if process in everything}
        for process, status in everything.items():
            orphan = status.parent == os.getpid() and process.pid != self._leader
            if self._leader in (process.pid, status.session) or (orphan and _has(process, self._mark)):
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

    def _group_alive(self) -> bool:
        try:
            os.killpg(self._leader, 0)
        except ProcessLookupError:
            return False
        return True


def reap_adopted(own: Iterable[int]) -> None:
    """Take the exit codes of adopted processes, which stay as zombies otherwise.

    `own`: children that another waits for. So does somebody for what is in this process's own session: a
    library that has started it.
    """
    kept, session = set(own), os.getsid(0)
    for process, status in processes().items():
        adopted = status.parent == os.getpid() and status.session != session
        if status.zombie and adopted and process.pid not in kept:
            os.waitpid(process.pid, os.WNOHANG)


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def _has(process: Process, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    except OSError:  # it ended, or belongs to another user
        return False
