"""Finds the processes that record from a sound card, in /proc."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LIST_COMMAND = "fuser -v /dev/snd/*"  # shows which processes use the sound cards


@dataclass(frozen=True)
class Holder:
    """A process that has a sound card open."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


def holders(card: int | None = None) -> list[Holder]:
    """Other processes that record from this card, or from any if `card` is None, as far as /proc shows."""
    number = r"\d+" if card is None else str(card)
    pids = {_process(thread) for thread in _recording_threads(number)} | _processes_with_device(number)
    return [Holder(pid, _command(pid)) for pid in sorted(pids - {os.getpid()}) if _command(pid)]


def _recording_threads(card: str) -> list[int]:
    """Threads that opened a device of the card. Every user may read this."""
    found = []
    for status in PROC.glob("asound/card*/pcm*c/sub*/status"):
        with suppress(OSError):
            owner = re.search(r"^owner_pid\s*:\s*(\d+)", status.read_text("utf-8"), re.MULTILINE)
            if owner and re.fullmatch(f"card{card}", status.parts[-4]):
                found.append(int(owner[1]))
    return found


def _processes_with_device(card: str) -> set[int]:
    """Processes with a device of the card among their open files. Only root sees those of other users."""
    found = set()
    for files in PROC.glob("[0-9]*/fd"):
        with suppress(OSError):
            for file in files.iterdir():
                with suppress(OSError):
                    if re.fullmatch(rf"/dev/snd/pcmC{card}D\d+c", str(file.readlink())):
                        found.add(int(files.parent.name))
    return found


def _process(thread: int) -> int:
    """The pid of the process that a thread belongs to."""
    with suppress(OSError):
        status = (PROC / f"{thread}/status").read_text("utf-8", "replace")
        found = re.search(r"^Tgid:\s*(\d+)", status, re.MULTILINE)
        if found:
            return int(found[1])
    return thread


def _command(pid: int) -> str:
    """The name of a process; empty if it has ended."""
    with suppress(OSError):
        return (PROC / f"{pid}/comm").read_text("utf-8", "replace").strip()
    return ""
