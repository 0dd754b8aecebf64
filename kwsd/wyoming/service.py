"""The service in one process: its words, its clients, and the folder that it watches."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kwsd.errors import UsageError, one_line
from kwsd.wyoming.address import Address
from kwsd.wyoming.connection import Connection
from kwsd.wyoming.turns import Turns
from kwsd.wyoming.words import SHIPPED, ModelFolder, Thresholds, Words, named_words

SCAN_SECONDS = 1.0  # between two looks at the folder of models

log = logging.getLogger(__name__)


class Notifier(Protocol):
    """Tells systemd about the service."""

    def send(self, message: str) -> None:
        """Send an assignment such as ``STATUS=...``."""

    def feed_watchdog(self) -> None:
        """Tell that the service works."""


@dataclass(frozen=True)
class WyomingOptions:
    """The options of ``kwsd wyoming``. Each field has the name of its option."""

    address: Address
    """Where to listen (--uri)."""

    words: tuple[str, ...]
    """Shipped models or model files; empty for the shipped ones for daily use."""

    models: Path | None
    """Folder of more model files, which is watched."""

    thresholds: Thresholds
    """Posterior that makes a trigger, by word."""

    max_clients: int
    """Clients that may be connected at a time."""

    zeroconf: str | None
    """Name to announce on the local network; None does not announce it."""

    workers: int
    """Processes that detect."""


class WakeService:
    """Offers words to clients, as many as are allowed."""

    def __init__(self, options: WyomingOptions, on_left: Callable[[], None] = lambda: None) -> None:
        """Reads all models. on_left: called when a client has left. Raises ModelError or UsageError."""
        self._named = named_words(options.words or SHIPPED, options.thresholds)
        self._folder = ModelFolder(options.models, options.thresholds) if options.models else None
        self._max_clients = options.max_clients
        self._on_left = on_left
        self._connections: set[Connection] = set()
        self.turns = Turns()
        if self._folder:
            self._folder.scan()
        self.words = self._merged()
        self._check_thresholds(options.thresholds)

    def connection(self) -> Connection:
        """A connection for a new client."""
        return Connection(self)

    def admit(self, connection: Connection) -> bool:
        """Take up a connection. Returns False if there are too many."""
        if len(self._connections) >= self._max_clients:
            log.warning(
                "%s was refused: %d clients are connected (--max-clients)", connection.name, self._max_clients
            )
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: Connection) -> None:
        """A connection has ended."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._on_left()

    def disconnect_all(self) -> None:
        """Disconnect every client."""
        for connection in list(self._connections):
            connection.disconnect()

    @asynccontextmanager
    async def watching_folder(self) -> AsyncIterator[None]:
        """Offer what is put into the folder of models for the length of the block."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while self._folder:
            await asyncio.sleep(SCAN_SECONDS)
            if await asyncio.to_thread(self._folder.scan):
                self.words = self._merged()

    def _check_thresholds(self, thresholds: Thresholds) -> None:
        """Raise UsageError for a threshold of no word. A word may still come into the folder: then warn."""
        for name in thresholds:
            if name is not None and name not in self.words.by_name:
                known = ", ".join(self.words.by_name)
                problem = f"--threshold {one_line(name)}=...: no word has this name; the words are: {known}"
                if not self._folder:
                    raise UsageError(problem)
                log.warning("%s", problem)

    def _merged(self) -> Words:
        """All words. One of the folder replaces another one of its name."""
        return Words({**self._named, **(self._folder.words if self._folder else {})})
