"""The control socket: answers JSON lines on a Unix socket, in a thread of its own.

The detection thread only runs the commands. It never waits for a client, and a client can only use up its own
connection: one request at a time, short lines, and nothing is kept for those who do not read their answers.
"""

import json
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from kwsd.daemon.control.requests import Answer
from kwsd.errors import KwsdError, UsageError, is_transient
from kwsd.unix_socket import SocketPath

MAX_CLIENTS = 32  # connections; one more closes the one that has been idle for longest
MAX_LINE = 4096  # bytes of a request
COMMAND_TIMEOUT = 5.0  # seconds until a command that has not begun is given up
WRITE_TIMEOUT = 5.0  # seconds that a client may take to read a part of an answer
TICK = 1.0  # seconds between two checks of timeouts, and of whether the socket can be taken over

log = logging.getLogger(__name__)


class ControlSocket:
    """Answers the requests that clients send to a socket that only this user may use.

    Of several kwsd with the same socket, the first has it. When that one ends, another one takes over.
    """

    def __init__(self, path: Path, submit: Callable[[dict[str, Any]], Future[Answer]]) -> None:
        """submit: begins what a request asks for. Called in the thread of the socket. Raises UsageError.

        Raises UsageError if the socket cannot be made.
        """
        self._path = path
        self._submit = submit
        self._stopping = False
        try:
            self._place = SocketPath(path)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._server = self._listen()  # None while another kwsd has the socket
        except UsageError:
            self._place.close()
            raise
        if self._server is None:
            log.info("another kwsd has the control socket %s; this one takes over when it ends", path)
        self._clients: set[_Client] = set()
        self._wakeup, self._waker = socket.socketpair()
        self._wakeup.setblocking(False)
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._drain)
        self._thread = threading.Thread(target=self._serve, name="control", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Close all connections, and remove the socket."""
        self._stopping = True
        self.wake()
        self._thread.join()
        for client in list(self._clients):
            self._drop(client)
        if self._server is not None:
            self._server.close()
        self._place.close()
        self._selector.close()
        self._wakeup.close()
        self._waker.close()

    def wake(self) -> None:
        """Let the thread of the socket look for answers. May be called from any thread; never waits."""
        with suppress(OSError):  # full: it is going to wake anyway
            self._waker.send(b".")

    def _listen(self) -> socket.socket | None:
        """Make the socket, unless another kwsd has it. Raises UsageError."""
        try:
            server = self._place.listen(mode=0o600)
        except OSError as error:
            raise self._failure(error) from error
        if server is not None:
            server.setblocking(False)
        return server

    def _failure(self, error: OSError) -> UsageError:
        reason = error.strerror or error  # a path that is too long has no `strerror`
        return UsageError(f"cannot make the control socket {self._path}: {reason}", is_transient(error))

    def _serve(self) -> None:
        """Serve until `__exit__`. Runs in the thread of the socket."""
        if self._server is not None:
            self._selector.register(self._server, selectors.EVENT_READ, self._accept)
        while not self._stopping:
            nothing_to_time = self._server is not None and not self._clients
            for key, events in self._selector.select(None if nothing_to_time else TICK):
                key.data(events)
            for client in list(self._clients):
                self._attend(client)
            if self._server is None:
                self._take_over()

    def _take_over(self) -> None:
        """Make the socket if the kwsd that had it has ended. Errors end the attempts."""
        try:
            self._server = self._listen()
        except UsageError as error:
            log.error("%s", error)
            self._stopping = True
        if self._server is not None:
            log.info("took over the control socket %s", self._path)
            self._selector.register(self._server, selectors.EVENT_READ, self._accept)

    def _drain(self, _events: int) -> None:
        with suppress(OSError):
            self._wakeup.recv(4096)

    def _accept(self, _events: int) -> None:
        assert self._server is not None
        try:
            connection, _ = self._server.accept()
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                log.error("the control socket cannot accept a client: %s", error.strerror)
                time.sleep(TICK)  # too many open files, for example; it would fail again at once
            return
        if len(self._clients) >= MAX_CLIENTS:
            # rather one that wants nothing at the moment than one that waits for an answer
            self._drop(min(self._clients, key=lambda one: (one.pending is not None, one.last_activity)))
        self._clients.add(_Client(connection, self._selector))

    def _attend(self, client: "_Client") -> None:
        """Take the next step for a client: begin its request, or send its answer."""
        try:
            client.send()
            if client.pending is not None:
                self._collect(client, client.pending)
            if client.is_free and (line := client.next_line()) is not None:
                self._begin(client, line)
            client.watch()
        except OSError:  # the client has left
            self._drop(client)
            return
        if client.finished or (client.outgoing and client.idle > WRITE_TIMEOUT):
            self._drop(client)

    def _begin(self, client: "_Client", line: bytes) -> None:
        try:
            if len(line) > MAX_LINE:
                raise UsageError(f"a request has at most {MAX_LINE} bytes")
            request = json.loads(line)
            if not isinstance(request, dict):
                raise UsageError('a request is an object, such as {"command": "status"}')
            client.pending = self._submit(request)
        except UsageError as error:
            client.refuse(error)
        except (ValueError, RecursionError):
            client.refuse(UsageError('this is not JSON; a request is a line such as {"command": "status"}'))
        else:
            client.pending.add_done_callback(lambda _: self.wake())

    def _collect(self, client: "_Client", pending: Future[Answer]) -> None:
        """Send the answer if there is one. A command that has not begun for COMMAND_TIMEOUT is given up."""
        if pending.done():
            error = pending.exception()
            if isinstance(error, KwsdError):
                client.answer({"ok": False, "error": str(error), "exit_code": error.exit_code})
            else:
                client.answer({"ok": True, **pending.result()})
        elif client.idle > COMMAND_TIMEOUT and pending.cancel():
            reason = f"nothing was done within {COMMAND_TIMEOUT:g} s: kwsd waits for audio, or hangs"
            client.answer({"ok": False, "error": reason, "exit_code": KwsdError().exit_code})

    def _drop(self, client: "_Client") -> None:
        self._clients.discard(client)
        client.close()


class _Client:
    """A connection. Only the thread of the socket uses it."""

    def __init__(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        connection.setblocking(False)
        self.pending: Future[Answer] | None = None  # the answer to its current request
        self.outgoing = b""  # of the answer
        self.last_activity = time.monotonic()
        self._connection = connection
        self._selector = selector
        self._received = b""
        self._ended = False  # whether it sends nothing more
        self._refused = False  # whether its request was no request, after which nothing is read
        self._selector.register(connection, selectors.EVENT_READ, self._ready)
        self._watched = True

    @property
    def idle(self) -> float:
        """Seconds since it sent, received or was answered something."""
        return time.monotonic() - self.last_activity

    @property
    def is_free(self) -> bool:
        """Whether it may make a request: the one before was answered, and was a request."""
        return self.pending is None and not self.outgoing and not self._refused

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do for it."""
        if self.pending is not None or self.outgoing:
            return False
        return self._refused or (self._ended and not self._received)

    def _ready(self, events: int) -> None:
        """Read, if there is something to read. `_attend` writes."""
        if not events & selectors.EVENT_READ:
            return
        try:
            part = self._connection.recv(MAX_LINE + 1 - len(self._received))
        except BlockingIOError:
            return
        except OSError:  # the client has left
            part = b""
        self.last_activity = time.monotonic()
        self._received += part
        self._ended = not part

    def next_line(self) -> bytes | None:
        """Take the next request; None if it is not complete. A longer one than MAX_LINE is cut."""
        line, newline, rest = self._received.partition(b"\n")
        if not newline and not (self._received and self._ended) and len(line) <= MAX_LINE:
            return None
        self._received = rest
        return line

    def answer(self, answer: Answer) -> None:
        """Send this as a line, from now on."""
        self.pending = None
        self.outgoing = json.dumps(answer).encode() + b"\n"
        self.last_activity = time.monotonic()
        self.send()

    def refuse(self, error: UsageError) -> None:
        """Answer what is not a request, and close the connection after that."""
        self._refused = True
        self.answer({"ok": False, "error": str(error), "exit_code": error.exit_code})

    def send(self) -> None:
        """Send as much of the answer as can be sent now. Raises OSError if the client has left."""
        with suppress(BlockingIOError):
            sent = self._connection.send(self.outgoing) if self.outgoing else 0
            if sent:
                self.outgoing = self.outgoing[sent:]
                self.last_activity = time.monotonic()

    def watch(self) -> None:
        """Wake the thread of the socket when this client can be attended to."""
        reads = self.is_free and not self._ended
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if self.outgoing else 0)
        if self._watched:
            self._selector.unregister(self._connection)
        self._watched = bool(events)
        if events:
            self._selector.register(self._connection, events, self._ready)

    def close(self) -> None:
        """Close the connection. Its request is given up unless it has begun."""
        if self.pending is not None:
            self.pending.cancel()
        if self._watched:
            self._selector.unregister(self._connection)
        self._connection.close()
