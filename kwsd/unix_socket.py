"""A Unix socket at a path, which one process at a time has."""

import errno
import os
import socket
import stat
import sys
from contextlib import suppress
from pathlib import Path

BACKLOG = 128  # clients that may wait to be accepted


class SocketPath:
    """Where a Unix socket is made. A lock on a file beside it decides which process may listen there.

    So a socket that a killed process has left is replaced, and one on which a program listens never is. The
    file with the lock stays, because removing it would let two processes lock two files of one name.
    """

    def __init__(self, path: Path) -> None:
        """Open the file for the lock, PATH.lock. Raises OSError."""
        self.path = path
        self._ours = False  # whether we have made the socket
        if sys.platform == "win32":
            raise OSError(errno.ENOTSUP, "Python has no Unix sockets on Windows")
        self._lock: int = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)

    def listen(self, mode: int | None = None) -> socket.socket | None:
        """Make the socket and listen; None while another process has the lock. Raises OSError.

        mode: permissions of the socket; None leaves them to the umask.
        """
        if sys.platform == "win32":
            return None
        import fcntl

        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        self._remove_stale()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            server.bind(str(self.path))
            self._ours = True
            if mode is not None:
                self.path.chmod(mode)  # before `listen`, so that nobody else can connect
            server.listen(BACKLOG)
        except BaseException:
            server.close()
            raise
        return server

    def close(self) -> None:
        """Remove the socket if it is ours, and let another process have it."""
        if self._ours:
            self.path.unlink(missing_ok=True)
        os.close(self._lock)

    def _remove_stale(self) -> None:
        """Remove the socket that a killed process has left. Raises OSError if it is anything else."""
        with suppress(FileNotFoundError):
            if not stat.S_ISSOCK(self.path.lstat().st_mode):
                raise FileExistsError(errno.EEXIST, "it is not a socket; choose another path, or remove it")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:  # type: ignore[attr-defined,unused-ignore]
                try:
                    client.connect(str(self.path))
                except ConnectionRefusedError:
                    self.path.unlink(missing_ok=True)
                    return
            raise OSError(errno.EADDRINUSE, "it is in use by another program")
