"""Prints events on standard output as JSON lines."""

import logging
import select
import sys

from kwsd.daemon.events import CommandEvent, Event
from kwsd.daemon.sinks.sink import Sink

log = logging.getLogger(__name__)


class JsonLines(Sink):
    """Prints a JSON line for each event."""

    def on_trigger(self, event: Event) -> None:
        """Print and flush. Raises OutputError if standard output cannot be written."""
        print(event.json(), flush=True)

    def on_command(self, command: CommandEvent) -> None:
        """Print and flush. Raises OutputError if standard output cannot be written."""
        print(command.json(), flush=True)


class DropWhenFull(Sink):
    """Passes events on to a sink that prints them, but drops them while standard output is full.

    Live audio must not wait for a slow reader of standard output.
    """

    def __init__(self, printer: Sink) -> None:
        self._printer = printer

    def on_trigger(self, event: Event) -> None:
        if accepts_output(1):
            self._printer.on_trigger(event)
        else:
            log.warning("standard output is full: the trigger at %.1f s was not printed", event.stream_time)

    def on_command(self, command: CommandEvent) -> None:
        if accepts_output(1):
            self._printer.on_command(command)
        else:
            log.warning("standard output is full: the command at %.1f s was not printed", command.start)


def accepts_output(descriptor: int) -> bool:
    """Whether a line can be written to this file descriptor without waiting for its reader.

    That includes a broken pipe, to which a write fails at once. On Windows the result is always True.
    """
    if sys.platform == "win32":
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))
