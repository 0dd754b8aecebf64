"""Writes one clip: the program that ``kwsd listen`` runs for each.

A process that waits for a disk that hangs cannot be ended, not even by SIGKILL; kwsd itself must not be one.
The program imports nothing of kwsd, so that it starts within some milliseconds.

    clip_writer.py FOLDER NAME LIMIT < clip.wav

prints a line of JSON: "kept", the clips in the folder that could not be removed, each with the reason, and
"error", why the clip is not written, or null.
"""

import json
import os
import re
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

OURS = re.compile(r"kwsd-\d{8}T\d{6}\.\d{6}Z-[\w-]+\.wav")
NAME = "user.kwsd.name"  # extended attribute: the name that kwsd gave the file
AHEAD = timedelta(minutes=1)  # that another kwsd may be ahead of this one in the same folder


def main(folder: Path, name: str, limit: int) -> None:
    kept: dict[str, str] = {}
    error = None
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        content = sys.stdin.buffer.read()
        kept = make_room(folder, name, limit - len(content))
        write(folder / name, content)
    except OSError as failure:
        error = failure.strerror
    print(json.dumps({"kept": kept, "error": error}))


def make_room(folder: Path, name: str, room: int) -> dict[str, str]:
    """Remove the oldest clips until the others take `room` bytes at most, for a new one called `name`.

    What cannot be removed counts as somebody else's. Give it, each with the reason.
    """
    clips = [(path, size) for path in folder.iterdir() if (size := our_size(path)) is not None]
    total = sum(size for _, size in clips)
    kept = {}
    future = f"kwsd-{datetime.fromisoformat(name[5:20]) + AHEAD:%Y%m%dT%H%M%S}"
    # a clip from the future was written while the clock was wrong: it goes before the others
    for path, size in sorted(clips, key=lambda clip: (clip[0].name < future, clip[0].name)):
        if total <= room:
            break
        try:
            path.unlink(missing_ok=True)  # missing: another kwsd removed it
        except OSError as error:
            kept[path.name] = str(error.strerror)
        total -= size
    return kept


def our_size(path: Path) -> int | None:
    """Bytes of a clip; None of all else. One that was renamed is its user's."""
    if not OURS.fullmatch(path.name):
        return None
    try:
        if path.is_symlink() or not path.is_file():
            return None
        size = path.stat().st_size
    except OSError:  # another kwsd removed it
        return None
    if hasattr(os, "getxattr"):
        with suppress(OSError):  # without the attribute: an older kwsd's, or the file system knows none
            return size if os.getxattr(path, NAME, follow_symlinks=False) == os.fsencode(path.name) else None
    return size


def write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read. Raises OSError, and then leaves nothing of it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # EXCL: follows no link
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if hasattr(os, "setxattr"):
                with suppress(OSError):
                    os.setxattr(descriptor, NAME, os.fsencode(path.name))
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
