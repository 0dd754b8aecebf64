"""A client that has started the service, and speaks to it on standard input and output."""

import asyncio
import os
import stat
from collections.abc import Callable
from typing import IO, Any, cast

from kwsd.errors import UsageError
from kwsd.wyoming.connection import Connection, Service


class StdioConnection(Connection):
    """Reads from standard input and answers on standard output, until the input has ended."""

    def __init__(self, service: Service, on_end: Callable[[], None]) -> None:
        """on_end: called when everything that was received is answered, or nobody reads the answers."""
        super().__init__(service)
        self._on_end = on_end

    async def start(self) -> None:
        """Connect to both streams. Raises UsageError for a file or a device."""
        if not all(map(_can_wait, (0, 1))):
            raise UsageError("stdio:// needs pipes as standard input and output, not files")
        loop = asyncio.get_running_loop()
        self._writing, _ = await loop.connect_write_pipe(lambda: _Output(self._end), _stream(1, "wb"))
        await loop.connect_read_pipe(lambda: self, _stream(0, "rb"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open(cast(asyncio.ReadTransport, transport), self._writing)

    def _peer(self) -> str:
        return "the client on standard input"

    def connection_lost(self, exc: Exception | None) -> None:
        """Standard input has ended. `eof_received` closes standard output after what is left to do."""
        if exc:
            self._output.abort()

    def _end(self) -> None:
        """Standard output is closed."""
        super().connection_lost(None)
        self._on_end()


class _Output(asyncio.BaseProtocol):
    """Tells when standard output is closed, by us or by its reader."""

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost = on_lost

    def connection_lost(self, _error: Exception | None) -> None:
        self._on_lost()


def _can_wait(descriptor: int) -> bool:
    """Whether the event loop can wait for a descriptor. It cannot for files and devices but terminals."""
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)


def _stream(descriptor: int, mode: str) -> IO[Any]:
    return os.fdopen(descriptor, mode, buffering=0, closefd=False)
