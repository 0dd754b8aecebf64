"""Makes systemd unit files from the templates in ``systemd/``."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kwsd.errors import UsageError, one_line
from kwsd.resources import shared

if TYPE_CHECKING:
    from kwsd.daemon.systemd.account import Account

NAME = "kwsd.service"
WYOMING_NAME = "kwsd-wyoming.service"
NEEDS_LINUX = "kwsd service needs Linux with systemd; on other systems, start kwsd listen at login"
STATE = Path("/var/lib/kwsd")  # the hardened unit's StateDirectory
WYOMING_SOCKETS = Path("/run/kwsd-wyoming")  # RuntimeDirectory of the hardened service for Home Assistant
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))  # folders that ProtectHome hides
PRIVATE = (Path("/tmp"), Path("/var/tmp"))  # folders that PrivateTmp replaces with empty ones

HOOK_SOCKETS = "AF_UNIX AF_INET AF_INET6 AF_NETLINK"  # netlink: for the resolver and for ip
SIGNATURE = "# Written by kwsd service install. To change it use systemctl edit, not this file. Checksum: "

_ESCAPES = {"\\": r"\\", '"': r"\"", "%": "%%", "$": "$$", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def quote(word: str) -> str:
    """Quote a word of a command line for ExecStart= (systemd.service(5), "Command lines").

    Raises UsageError if the word cannot be written in UTF-8, the encoding of unit files.
    """
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"'{one_line(word)}' cannot be written to a unit file, which is UTF-8: rename it"
        ) from None
    escaped = "".join(_ESCAPES.get(letter, letter) for letter in word)
    return f'"{escaped}"' if not word or set(word) & set(" \t\n\r\"'\\;") else escaped


def user_unit(command: Sequence[str], network: bool) -> str:
    """The unit that runs `command` in the user's session. network: whether hooks get network access."""
    settings: dict[str, str | None] = {"RestrictAddressFamilies": HOOK_SOCKETS} if network else {}
    return _filled("kwsd.service", command, settings)


def system_unit(command: Sequence[str], network: bool, needed: Iterable[Path]) -> str:
    """The system unit that runs `command` as an unprivileged user, who must be able to read `needed`."""
    settings: dict[str, str | None] = {}
    if network:
        settings = {"RestrictAddressFamilies": HOOK_SOCKETS, "PrivateNetwork": None, "IPAddressDeny": None}
    if any(is_in(path, HOMES) for path in needed):
        settings["ProtectHome"] = "read-only"
    return _filled("kwsd-system.service", command, settings)


def run_as_unit(command: Sequence[str], network: bool, account: "Account") -> str:
    """The system unit that runs `command` as an existing user."""
    settings: dict[str, str | None] = {"User": account.name}
    if network:
        settings["PrivateNetwork"] = None
    return _filled("kwsd-run-as.service", command, settings, uid=account.uid)


def wyoming_unit(command: Sequence[str], system: bool, needed: Iterable[Path]) -> str:
    """The unit that runs ``kwsd wyoming``, in the user's session or as an unprivileged user of the system.

    needed: what that user must be able to read.
    """
    if not system:
        return _filled("kwsd-wyoming.service", command, {})
    settings = {"ProtectHome": "read-only"} if any(is_in(path, HOMES) for path in needed) else {}
    return _filled("kwsd-wyoming-system.service", command, settings)


def sign(unit: str) -> str:
    """The unit with a first line that holds its checksum, so that `is_signed` can detect a change."""
    return f"{SIGNATURE}{_checksum(unit)}\n{unit}"


def is_signed(text: str) -> bool:
    """Whether this is an unchanged result of `sign`."""
    first, _, unit = text.partition("\n")
    return first == SIGNATURE + _checksum(unit)


def is_written_by_kwsd(text: str) -> bool:
    """Whether kwsd wrote this unit, in this or an older version, even if it has been changed since then."""
    return any(line.startswith("#") and "kwsd service install" in line for line in text.splitlines())


def is_in(path: Path, folders: Iterable[Path]) -> bool:
    """Whether a path lies in one of the folders, directly or through symbolic links."""
    return any(one.is_relative_to(folder) for one in (path, path.resolve()) for folder in folders)


def _checksum(unit: str) -> str:
    return hashlib.sha256(unit.encode(errors="surrogateescape")).hexdigest()[:16]


def _filled(name: str, command: Sequence[str], settings: Mapping[str, str | None], uid: int = 0) -> str:
    """The template with this command and these settings. A setting with the value None is removed."""
    values = {**settings, "ExecStart": " ".join(map(quote, command))}
    lines = []
    for line in re.sub(r"\bUID\b", str(uid), (shared("systemd") / name).read_text("utf-8")).splitlines():
        key = line.partition("=")[0]
        if key not in values:
            lines.append(line)
        elif (value := values[key]) is not None:
            lines.append(f"{key}={value}")
    return "\n".join(lines) + "\n"
