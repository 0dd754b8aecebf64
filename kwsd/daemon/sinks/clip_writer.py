"""The program that writes one clip; ``kwsd listen`` runs it for each.

It is a separate program because a process that is blocked by a disk cannot be killed, not even by SIGKILL,
and that must not happen to kwsd itself. It imports nothing of kwsd, so that it starts within milliseconds.

    clip_writer.py FOLDER NAME LIMIT < clip.wav

LIMIT is the size in bytes that all clips in the folder may have. The program prints a line of JSON: "kept"
maps the name of each old clip that could not be removed to the reason, and "error" is the reason why the new
clip was not written, or null.
"""

import json
import os
import re
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

OURS = re.compile(r"kwsd-\d{8}T\d{6}\.\d{6}Z-[\w-]+\.wav")
NAME_ATTRIBUTE = "user.kwsd.name"  # extended attribute with the name that kwsd gave to the file
MAX_CLOCK_SKEW = timedelta(minutes=1)  # between two machines that share a folder


def main(folder: Path, name: str, limit: int) -> None:
    """Make room for the clip on standard input, write it, and print the result."""
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
    """Remove the oldest clips until the others take at most `room` bytes.

    name: of the new clip, which contains the current time. Returns the clips that could not be removed, each
    with the reason. They no longer count towards the limit.
    """
    clips = [(path, size) for path in folder.iterdir() if (size := our_size(path)) is not None]
    total = sum(size for _, size in clips)
    kept = {}
    future = f"kwsd-{datetime.fromisoformat(name[5:20]) + MAX_CLOCK_SKEW:%Y%m%dT%H%M%S}"
    # clips from the future were written while the clock was wrong, and are removed first
    for path, size in sorted(clips, key=lambda clip: (clip[0].name < future, clip[0].name)):
        if total <= room:
            break
        try:
            path.unlink(missing_ok=True)  # another kwsd may have removed it
        except OSError as error:
            kept[path.name] = str(error.strerror)
        total -= size
    return kept


def our_size(path: Path) -> int | None:
    """Size in bytes of a clip that kwsd wrote; None for any other file, such as a clip that was renamed."""
    if not OURS.fullmatch(path.name):
        return None
    try:
        if path.is_symlink() or not path.is_file():
            return None
        size = path.stat().st_size
    except OSError:  # another kwsd has removed it
        return None
    if hasattr(os, "getxattr"):
        with suppress(OSError):  # the file has no attribute: not all file systems support them
            attribute = os.getxattr(path, NAME_ATTRIBUTE, follow_symlinks=False)
            return size if attribute == os.fsencode(path.name) else None
    return size


def write(path: Path, content: bytes) -> None:
    """Write a new file that only its owner can read. Raises OSError, and removes the partial file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)  # EXCL does not follow links
    descriptor = os.open(path, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if hasattr(os, "setxattr"):
                with suppress(OSError):
                    os.setxattr(descriptor, NAME_ATTRIBUTE, os.fsencode(path.name))
    except OSError:
        with suppress(OSError):
            path.unlink()
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
