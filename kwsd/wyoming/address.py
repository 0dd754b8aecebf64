"""Where the service can be reached: parses --uri, and opens the sockets."""

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kwsd.errors import KwsdError, UsageError, is_transient, one_line
from kwsd.unix_socket import BACKLOG, SocketPath

DEFAULT_PORT = 10400  # of wake-word services, by convention


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
        if self.scheme == "unix":
            with self._unix_socket() as listener:
                yield [listener]
            return
        sockets = self._tcp_sockets() if self.scheme == "tcp" else []
        try:
            yield sockets
        finally:
            for one in sockets:
                one.close()

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

    @contextmanager
    def _unix_socket(self) -> Iterator[socket.socket]:
        try:
            place = SocketPath(self.path)
            try:
                listener = place.listen()
                if listener is None:
                    raise OSError(errno.EADDRINUSE, "it is in use by another kwsd")
            except BaseException:
                place.close()
                raise
        except OSError as error:
            reason = error.strerror or error  # a path that is too long has no `strerror`
            raise UsageError(f"cannot listen on {self.path}: {reason}", is_transient(error)) from None
        try:
            with listener:
                yield listener
        finally:
            place.close()


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
