"""Several processes behind one port, where one core is not enough.

The main process takes the connections, and hands each to the worker with the fewest. (With SO_REUSEPORT the
kernel would spread them by chance, and a few satellites that stay connected for weeks may all get the same
worker.) A worker and the main process share a socket: on it each connection arrives, and the worker answers
with a byte when a client has left.
"""

import asyncio
import logging
import multiprocessing
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from kwsd.errors import KwsdError
from kwsd.wyoming.pacing import paced_loop
from kwsd.wyoming.service import WakeService, WyomingOptions

READY, LEFT, CONNECTION = b"r", b"l", b"c"  # messages on the shared socket
STOP_SECONDS = 5.0  # after which a worker that was told to stop is killed

log = logging.getLogger(__name__)


class _Worker:
    """A worker process, as the main process sees it."""

    def __init__(self, number: int, options: WyomingOptions, begin_log: Callable[[], None]) -> None:
        self.number = number
        self.clients = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.channel, theirs = socket.socketpair()
        context = multiprocessing.get_context("spawn")  # a fork would copy the event loop
        self.process = context.Process(target=_work, args=(number, options, theirs, begin_log), daemon=True)
        with theirs:
            self.process.start()
        self.channel.setblocking(False)

    def hear(self) -> None:
        """Read what the worker says."""
        try:
            said = self.channel.recv(4096)
        except OSError:
            return
        self.clients -= said.count(LEFT)
        if READY in said and not self.ready.done():
            self.ready.set_result(None)

    def hand(self, client: socket.socket) -> None:
        """Hand a client's connection to the worker."""
        if sys.platform != "win32":  # where several workers are refused
            socket.send_fds(self.channel, [CONNECTION], [client.fileno()])
        self.clients += 1

    def stop(self) -> None:
        """Tell the worker to stop, by closing the socket, and wait for it."""
        self.channel.close()
        self.process.join(STOP_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


@asynccontextmanager
async def serving(
    options: WyomingOptions,
    listeners: list[socket.socket],
    stop: "asyncio.Future[None]",
    begin_log: Callable[[], None],
) -> AsyncIterator[None]:
    """Let workers serve the clients of these sockets. The end of a worker sets an error in `stop`."""
    loop = asyncio.get_running_loop()
    WakeService(options)  # reports what is wrong with the words before any worker starts
    async with AsyncExitStack() as running:
        team = []
        for number in range(1, options.workers + 1):
            worker = _Worker(number, options, begin_log)
            team.append(worker)
            running.callback(worker.stop)
            loop.add_reader(worker.channel, worker.hear)
            running.callback(loop.remove_reader, worker.channel)
            loop.add_reader(worker.process.sentinel, _report_end, worker, stop)
            running.callback(loop.remove_reader, worker.process.sentinel)
        while not stop.done() and not all(worker.ready.done() for worker in team):
            waits = [stop, *(worker.ready for worker in team if not worker.ready.done())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for listener in listeners:
            listener.setblocking(False)
            loop.add_reader(listener, _accept, listener, team, options.max_clients)
            running.callback(loop.remove_reader, listener)
        yield


def _report_end(worker: _Worker, stop: "asyncio.Future[None]") -> None:
    """A worker has ended, though nobody told it to."""
    if not stop.done():
        worker.process.join(STOP_SECONDS)  # its end is reported a little before its exit code is known
        code = worker.process.exitcode
        stop.set_exception(KwsdError(f"worker {worker.number} ended unexpectedly, with exit code {code}"))


def _accept(listener: socket.socket, team: list[_Worker], max_clients: int) -> None:
    """Take a connection, and hand it to the worker with the fewest clients."""
    try:
        client, _ = listener.accept()
    except OSError as error:  # the client has left already, or there are too many open files
        log.warning("cannot take a connection: %s", error.strerror)
        return
    with client:
        if sum(worker.clients for worker in team) >= max_clients:
            log.warning("a client was refused: %d clients are connected (--max-clients)", max_clients)
            return
        try:
            min(team, key=lambda worker: worker.clients).hand(client)
        except OSError as error:
            log.warning("a client was disconnected: its worker does not take it: %s", error.strerror)


def _work(
    number: int, options: WyomingOptions, channel: socket.socket, begin_log: Callable[[], None]
) -> None:
    """What a worker process does."""
    begin_log()
    if number > 1:
        logging.getLogger("kwsd.wyoming.words").disabled = True  # the first worker tells about the folder
    with asyncio.Runner(loop_factory=paced_loop) as runner:
        runner.run(_serve_channel(options, channel))


async def _serve_channel(options: WyomingOptions, channel: socket.socket) -> None:
    """Serve the clients that arrive on the channel until it is closed."""
    loop = asyncio.get_running_loop()
    closed: asyncio.Future[None] = loop.create_future()
    channel.setblocking(False)
    service = WakeService(options, on_left=lambda: _say(channel, LEFT))
    starting: set[asyncio.Task[object]] = set()

    def take() -> None:
        try:
            said, descriptors = _received(channel)
        except BlockingIOError:
            return
        if not said:
            loop.remove_reader(channel)
            closed.set_result(None)
        for descriptor in descriptors:
            client = socket.socket(fileno=descriptor)
            task: asyncio.Task[object] = loop.create_task(
                loop.connect_accepted_socket(service.connection, client)
            )
            starting.add(task)
            task.add_done_callback(starting.discard)

    async with service.watching_folder():
        loop.add_reader(channel, take)
        _say(channel, READY)
        await closed
    service.disconnect_all()


def _received(channel: socket.socket) -> tuple[bytes, list[int]]:
    """A message and the descriptors that came with it; no message once the channel is closed."""
    if sys.platform == "win32":
        return b"", []
    try:
        said, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    except ConnectionError:
        return b"", []
    return said, descriptors


def _say(channel: socket.socket, message: bytes) -> None:
    with suppress(OSError):  # the main process has ended, and so does this one
        channel.send(message)
