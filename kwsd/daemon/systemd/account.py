"""The account that a service runs as, and which files it may read and execute."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from kwsd.daemon.systemd.unit import NEEDS_LINUX
from kwsd.errors import UsageError

NOBODY = 65534  # uid that owns no files


@dataclass(frozen=True)
class Account:
    """A user of this machine and its groups. `home` is None for a user without a home folder."""

    name: str
    uid: int
    groups: frozenset[int]
    home: Path | None

    @classmethod
    def of_this_process(cls) -> "Account":
        """The user who runs this process."""
        if sys.platform != "linux":
            raise UsageError(NEEDS_LINUX)
        import pwd

        uid = os.getuid()
        groups = frozenset((os.getgid(), *os.getgroups()))
        try:
            entry = pwd.getpwuid(uid)
            name, home = entry.pw_name, entry.pw_dir
        except KeyError:  # the user of a container may have no entry
            name, home = str(uid), "/"
        return cls(name, uid, groups, Path(os.environ.get("HOME") or home))

    @classmethod
    def named(cls, name: str) -> "Account":
        """The user with this name. Raises UsageError if there is none."""
        if sys.platform != "linux":
            raise UsageError(NEEDS_LINUX)
        import pwd

        try:
            entry = pwd.getpwnam(name)
        except (KeyError, ValueError):
            raise UsageError(f"there is no user {name!r} on this machine") from None
        groups = frozenset((*os.getgrouplist(name, entry.pw_gid), *_group("audio")))
        return cls(name, entry.pw_uid, groups, Path(entry.pw_dir))

    @classmethod
    def dynamic(cls) -> "Account":
        """The user that systemd creates for the hardened unit: in the group audio, without a home folder."""
        return cls("kwsd", NOBODY, frozenset(_group("audio")), None)

    def denied_by(self, path: Path, right: int) -> Path | None:
        """The file or the folder above it whose mode denies this account access to `path`; None if none does.

        right: S_IROTH to read the file, S_IXOTH to execute it, 0 to check only the folders above it. A file
        with an access control list counts as accessible, because the list may grant what the mode denies.
        Raises OSError if there is no such file.
        """
        for folder in reversed(path.parents):
            if not self._may(folder, stat.S_IXOTH):
                return folder
        return None if not right or self._may(path, right) else path

    def _may(self, path: Path, right: int) -> bool:
        status = path.stat()
        if self.uid == 0:
            return right != stat.S_IXOTH or stat.S_ISDIR(status.st_mode) or bool(status.st_mode & 0o111)
        if status.st_uid == self.uid:
            shift = 6
        elif status.st_gid in self.groups:
            shift = 3
        else:
            shift = 0
        return bool(status.st_mode >> shift & right) or _has_acl(path)


def _group(name: str) -> tuple[int, ...]:
    if sys.platform != "linux":
        raise UsageError(NEEDS_LINUX)
    import grp

    try:
        return (grp.getgrnam(name).gr_gid,)
    except KeyError:
        return ()


def _has_acl(path: Path) -> bool:
    """Whether the file has an access control list."""
    if sys.platform != "linux":
        return False
    try:
        return bool(os.getxattr(path, "system.posix_acl_access"))
    except OSError:
        return False
