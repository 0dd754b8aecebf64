"""Starts the parts of the service in order, serves, and stops them in reverse order."""

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from kwsd.errors import KwsdError, UsageError
from kwsd.wyoming import workers
from kwsd.wyoming.address import DEFAULT_PORT, is_public, shown_uri
from kwsd.wyoming.pacing import paced_loop
from kwsd.wyoming.service import Notifier, WakeService, WyomingOptions
from kwsd.wyoming.stdio import StdioConnection

WATCHDOG_SECONDS = 1.0  # between two signs of life

log = logging.getLogger(__name__)


def serve(options: WyomingOptions, notifier: Notifier, begin_log: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT, or, on standard input and output, until the client leaves.

    begin_log: sets up the log of a worker process; it must be importable. Raises KwsdError.
    """
    _check(options)
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=paced_loop) as runner:
        runner.run(_serve(options, notifier, begin_log))  # KeyboardInterrupt: Windows has no signal handlers


def _check(options: WyomingOptions) -> None:
    """Raise UsageError for options that do not go together."""
    tcp = options.address.scheme == "tcp"
    if options.zeroconf is not None and not tcp:
        raise UsageError("--zeroconf announces a port, so it needs --uri tcp://...")
    if options.workers > 1 and options.address.scheme == "stdio":
        raise UsageError("--workers: standard input has one client, which needs one worker")
    if options.workers > 1 and sys.platform == "win32":
        raise UsageError("--workers is not available on Windows")
    if options.address.scheme == "stdio" and sys.platform == "win32":
        raise UsageError("stdio:// is not available on Windows; use tcp://")


async def _serve(options: WyomingOptions, notifier: Notifier, begin_log: Callable[[], None]) -> None:
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    _handle_signals(stop)
    with options.address.listening() as listeners:
        async with AsyncExitStack() as running:
            if options.workers > 1:
                await running.enter_async_context(workers.serving(options, listeners, stop, begin_log))
            else:
                service = WakeService(options)
                await running.enter_async_context(service.watching_folder())
                await running.enter_async_context(_accepting(service, listeners, stop))
            await running.enter_async_context(_announced(options, listeners))
            await running.enter_async_context(_signs_of_life(notifier))
            where = ", ".join(map(shown_uri, listeners)) or "standard input"
            log.info("listening on %s", where)
            if any(map(is_public, listeners)):
                log.warning(
                    "every machine that reaches this one can connect, as Wyoming has no password and no "
                    "encryption: keep the port behind a firewall"
                )
            notifier.send(f"READY=1\nSTATUS=listening on {where}")
            await stop
        notifier.send("STOPPING=1")


def _handle_signals(stop: "asyncio.Future[None]") -> None:
    if sys.platform != "win32":
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end, stop)


def end(stop: "asyncio.Future[None]", error: KwsdError | None = None) -> None:
    """Stop serving, because of an error if there is one."""
    if not stop.done():
        if error:
            stop.set_exception(error)
        else:
            stop.set_result(None)


@asynccontextmanager
async def _accepting(
    service: WakeService, listeners: list[socket.socket], stop: "asyncio.Future[None]"
) -> AsyncIterator[None]:
    """Take clients from the sockets or, if there are none, the one on standard input."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as running:
        for listener in listeners:
            server = await loop.create_server(service.connection, sock=listener)
            running.callback(server.close)
        if not listeners:
            connection = StdioConnection(service, lambda: end(stop))
            await connection.start()
        yield
    service.disconnect_all()


@asynccontextmanager
async def _announced(options: WyomingOptions, listeners: list[socket.socket]) -> AsyncIterator[None]:
    """Announce the service on the local network, if that is wanted."""
    if options.zeroconf is None:
        yield
        return
    from kwsd.wyoming.discovery import announced, default_name

    if not any(map(is_public, listeners)):
        raise UsageError(
            "--zeroconf: other machines cannot reach this address; "
            f"listen on all with --uri tcp://0.0.0.0:{DEFAULT_PORT}"
        )
    async with announced(options.zeroconf or default_name(), listeners) as name:
        log.info("announced as %r on the local network", name)
        yield


@asynccontextmanager
async def _signs_of_life(notifier: Notifier) -> AsyncIterator[None]:
    """Feed systemd's watchdog as long as the event loop runs."""

    async def feed() -> None:
        while True:
            notifier.feed_watchdog()
            await asyncio.sleep(WATCHDOG_SECONDS)

    task = asyncio.create_task(feed())
    try:
        yield
    finally:
        task.cancel()
