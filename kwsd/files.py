"""Finds the user's folders, reads files of bounded size and replaces files atomically.

To replace a file, the new content is written to a temporary file in the same folder, which is then renamed.
So the path always names the complete old or new file, even after a full disk, Ctrl-C or a power cut.
"""

import errno
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

from kwsd.errors import KwsdError, UsageError


def read_file(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes. Never blocks on a pipe or a device.

    Raises OSError, ValueError if the name contains a NUL, and UsageError (its text does not name the path) if
    it is not a regular file or is too large.
    """
    _check_regular(path.stat(), limit)  # before it is opened, because opening a device may have side effects
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        _check_regular(status, limit)  # again, because the path may have been replaced since then
        return file.read(status.st_size) or b""  # None if reading would block, as some files in /proc do


def absolute(path: Path) -> Path:
    """The absolute path. Raises UsageError if it is relative to a working directory that does not exist."""
    try:
        return path.absolute()
    except OSError as error:
        raise UsageError(
            f"cannot resolve {path}: the working directory does not exist; cd to another one"
        ) from error


def user_folder(kind: Literal["config", "data", "cache"]) -> Path:
    """The user's folder for kwsd's files of a kind (XDG Base Directory Specification).

    On Windows data and cache are in %LOCALAPPDATA%.
    """
    home = Path(os.environ.get("HOME") or os.environ.get("USERPROFILE") or "/")
    if sys.platform == "win32" and kind != "config":
        folder = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    else:
        default = {"config": ".config", "data": ".local/share", "cache": ".cache"}
        folder = os.environ.get(f"XDG_{kind.upper()}_HOME") or home / default[kind]
    return Path(folder) / "kwsd"


def check_room(folder: Path, needed: int, purpose: str) -> None:
    """Raise KwsdError if the disk of `folder`, which need not exist yet, has fewer than `needed` bytes left.

    purpose: what needs them, and what to do about it.
    """
    absolute = folder.absolute()
    existing = next(parent for parent in (absolute, *absolute.parents) if parent.exists())
    usage = shutil.disk_usage(existing)
    if usage.total and usage.free < needed:  # some file systems report a size of 0
        raise KwsdError(
            f"{existing} has {_amount(usage.free)} of disk left, "
            f"and {_amount(needed)} are needed for {purpose}"
        )


def _amount(size: int) -> str:
    """Bytes in MB, or in kB if there are fewer than a million."""
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


def check_folder(path: Path) -> None:
    """Raise UsageError if the path is not a folder, or one that cannot be read."""
    try:
        with os.scandir(path) as entries:
            next(entries, None)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such folder") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a folder of recordings") from error


def check_replaceable(path: Path) -> None:
    """Check before long work that `replacing` will be able to write `path`.

    Raises UsageError if its folder is missing or not writable, or if the path is a folder, a device or a
    symbolic link; links are never followed.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot write {path}: {reason}") from None
    if stat.S_ISLNK(mode):
        target = path.readlink()
        raise UsageError(f"{path} is a symbolic link to {target}; give that file, or remove the link")
    if stat.S_ISDIR(mode):
        raise UsageError(f"{path} is a folder; give a file")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{path} is a device or a pipe; give a file")
    if sys.platform == "win32" and path.exists() and not os.access(path, os.W_OK):
        raise UsageError(f"cannot write {path}: it is read-only; make it writable with attrib -r {path}")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; create it")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"cannot write {path}: no permission to write in the folder {path.parent}")


def _check_regular(status: os.stat_result, limit: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise UsageError("not a file")
    if status.st_size > limit:
        raise UsageError(f"larger than {limit:,} bytes")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary binary file that replaces `path` at the end of the block.

    The new file keeps the mode and owner of the old one. An exception in the block leaves the old file as it
    was. Raises UsageError as `check_replaceable` does, and KwsdError instead of any OSError, including those
    that the block raises.
    """
    check_replaceable(path)
    partial = path.with_name(f".kwsd-{os.urandom(8).hex()}.part")
    try:
        try:
            descriptor = os.open(
                partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
            )
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                _copy_access(path, partial)
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise KwsdError(f"cannot write {path}: {error.strerror or error}") from error


def replace_file(path: Path, content: bytes | str) -> None:
    """Replace the content of the file `path`. Text is encoded as UTF-8. Raises the errors of `replacing`."""
    encoded = content.encode() if isinstance(content, str) else content
    with replacing(path) as file:
        file.write(encoded)


def _copy_access(old: Path, new: Path) -> None:
    """Give `new` the mode and, if permitted, the owner of `old`, if `old` exists. Windows has neither."""
    if sys.platform == "win32":
        return
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    with suppress(PermissionError):
        os.chown(new, status.st_uid, status.st_gid)
    new.chmod(status.st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    """Flush a rename in the folder to the disk, if the file system supports that."""
    if sys.platform == "win32":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
