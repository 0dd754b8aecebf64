"""Where the service can be reached: parses --uri, and opens the sockets."""

import errno
import ipaddress
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kwsd.errors import KwsdError, UsageError, one_line

DEFAULT_PORT = 10400  # of wake-word services, by convention
BACKLOG = 128


@dataclass(frozen=True)
class Address:
    """A parsed --uri."""

    scheme: str
    """ "tcp", "unix" or "stdio"."""

    host: str = ""
    port: int = 0
    path: Path = Path()

    @classmethod
    def parse(cls, uri: str) -> "Address":
        """Raises UsageError for a URI that is not one of the three kinds."""
        try:
            parts = urlsplit(uri)
            port = parts.port
        except ValueError:  # a port that is not one
            parts, port = urlsplit(""), None
        if parts.scheme == "tcp" and parts.hostname and not parts.path.strip("/"):
            return cls("tcp", host=parts.hostname, port=DEFAULT_PORT if port is None else port)
        if parts.scheme == "unix" and uri.removeprefix("unix://").startswith("/"):
            return cls("unix", path=Path(uri.removeprefix("unix://")))
        if uri == "stdio://":
            return cls("stdio")
        raise UsageError(
            f"--uri {one_line(uri)}: give tcp://ADDRESS:PORT, unix:///PATH or stdio://, "
            f"for example tcp://127.0.0.1:{DEFAULT_PORT}"
        )

    @contextmanager
    def listening(self) -> Iterator[list[socket.socket]]:
        """Sockets that listen at this address; none for stdio. Raises UsageError or KwsdError."""
        sockets = []
        if self.scheme == "tcp":
            sockets = self._tcp_sockets()
        elif self.scheme == "unix":
            sockets = [self._unix_socket()]
        try:
            yield sockets
        finally:
            for one in sockets:
                one.close()
            if self.scheme == "unix":
                self.path.unlink(missing_ok=True)

    def _tcp_sockets(self) -> list[socket.socket]:
        """A socket for each address of the host, all with the same port."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise KwsdError(f"cannot find the address {one_line(self.host)}: {error.strerror}") from error
        sockets: list[socket.socket] = []
        port = self.port
        try:
            for family, *_, address in dict.fromkeys(found):
                sockets.append(socket.create_server((address[0], port), family=family, backlog=BACKLOG))
                port = sockets[0].getsockname()[1]
        except OSError as error:
            for one in sockets:
                one.close()
            where = f"{self.host}:{port}"
            if error.errno == errno.EADDRINUSE:
                raise KwsdError(
                    f"{where} is in use by another program; choose another port with --uri"
                ) from None
            if isinstance(error, PermissionError):
                raise UsageError(
                    f"no permission to use {where}; choose a port above 1023 with --uri"
                ) from None
            raise KwsdError(f"cannot listen on {where}: {error.strerror}") from error
        return sockets

    def _unix_socket(self) -> socket.socket:
        if sys.platform == "win32":
            raise UsageError("unix:// is not available on Windows; use tcp://")
        try:
            self._remove_stale_socket()
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(os.fspath(self.path))
                listener.listen(BACKLOG)
            except BaseException:
                listener.close()
                raise
        except OSError as error:
            raise UsageError(
                f"cannot listen on {self.path}: {error.strerror or error}",
                transient=error.errno in (errno.EADDRINUSE, errno.EACCES, errno.ENOENT),
            ) from None
        return listener

    def _remove_stale_socket(self) -> None:
        """Remove the socket that a killed process has left. Raises OSError if a program listens on it."""
        if sys.platform == "win32":
            return
        try:
            if not stat.S_ISSOCK(self.path.stat().st_mode):
                raise FileExistsError(errno.EEXIST, "there is a file of that name; choose another")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(os.fspath(self.path))
        except ConnectionRefusedError:
            self.path.unlink(missing_ok=True)
        except FileNotFoundError:
            return
        else:
            raise OSError(errno.EADDRINUSE, "it is in use by another program")


def shown_uri(listener: socket.socket) -> str:
    """The URI of a listening socket."""
    name = listener.getsockname()
    if not isinstance(name, tuple):
        return f"unix://{name}"
    host, port = name[:2]
    return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"


def is_public(listener: socket.socket) -> bool:
    """Whether other machines can reach this socket."""
    name = listener.getsockname()
    return isinstance(name, tuple) and not ipaddress.ip_address(name[0].partition("%")[0]).is_loopback
