"""The systemd unit files: filling in the templates of ``systemd/``."""

import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from kwsd.errors import UsageError
from kwsd.share import shared

NAME = "kwsd.service"
STATE = Path("/var/lib/kwsd")  # the system unit's StateDirectory
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # what ProtectHome hides

_ESCAPES = {"\\": r"\\", '"': r"\"", "%": "%%", "$": "$$", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def quote(word: str) -> str:
    """A word of a command line as ExecStart= takes it literally (systemd.service(5), "Command lines")."""
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in word)
    return f'"{escaped}"' if not word or set(word) & set(" \t\n\r\"'\\;") else escaped


def user_unit(command: Sequence[str]) -> str:
    """The unit that runs `command` in the user's session."""
    return _template("kwsd.service", command)


def system_unit(command: Sequence[str], needed: Iterable[Path]) -> str:
    """The unit that runs `command` as an unprivileged user, who must be able to read the `needed` files.

    Raises UsageError where that user cannot.
    """
    unit = _template("kwsd-system.service", command)
    for path in needed:
        _check_public(path)
        if any(path.is_relative_to(home) for home in HOMES):
            unit = unit.replace("ProtectHome=yes", "ProtectHome=read-only")
    return unit


def _template(name: str, command: Sequence[str]) -> str:
    start = "ExecStart=" + " ".join(map(quote, command))
    lines = (shared("systemd") / name).read_text().splitlines()
    return "\n".join(start if line.startswith("ExecStart=") else line for line in lines) + "\n"


def _check_public(path: Path) -> None:
    """Raises UsageError where others than its owner cannot read a file, or enter a folder above it."""
    for part in (path, *path.parents):
        mode = part.stat().st_mode
        if not mode & (stat.S_IXOTH if part.is_dir() else stat.S_IROTH):
            raise UsageError(
                f"the service's user cannot read {path}: {part} is closed to others; move it, to /opt say"
            )
