"""Prints triggers for people, and draws a live meter of level and posterior. Requires rich."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kwsd.daemon.events import CommandEvent, Event
from kwsd.daemon.sinks.activity import level
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.sinks.stdout import accepts_output
from kwsd.errors import OutputError, UsageError
from kwsd.pcm import Samples

METER_FLOOR = -60.0  # dBFS at the left end of the level bar
LABEL_COLUMNS = 34  # width of the meter without its two bars
REFRESH_INTERVAL = 0.1  # seconds between two updates of the meter


def four_digits(posterior: float) -> str:
    """Format a posterior, rounded down, so that it reaches a threshold that is set to the printed value."""
    return f"{math.floor(posterior * 10_000) / 10_000:.4f}"


class Terminal(Sink):
    """Prints a line for each trigger on standard output, and makes the meter."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def on_trigger(self, event: Event) -> None:
        """Print the trigger. Raises OutputError if standard output cannot be written."""
        line = Text.assemble(
            (f"{event.time:%H:%M:%S}  ", "dim"),
            (event.keyword, "bold green"),
            f"  posterior {four_digits(event.posterior)}",
            (f"  at {event.stream_time:.2f} s", "dim"),
        )
        self._console.print(line)

    def on_command(self, command: CommandEvent) -> None:
        """Print how long the command was and why it ended. Raises OutputError as `on_trigger` does."""
        line = Text.assemble(
            (f"{command.time:%H:%M:%S}  ", "dim"),
            command.keyword,
            f"  command of {command.end - command.start:.1f} s",
            (f"  ended: {command.ended}", "dim"),
        )
        self._console.print(line)

    def meter(self, threshold: float, waiting: Callable[[], str]) -> "Meter":
        """A meter on standard output or, if that is not a terminal, on standard error.

        threshold: the posterior at which the bar turns green. waiting: see `Source.waiting`.
        Raises UsageError if neither is a terminal.
        """
        console = self._console if self._console.is_terminal else Console(stderr=True)
        if not console.is_terminal:
            raise UsageError("--meter needs a terminal to draw on")
        return Meter(console, threshold, waiting)


class Meter(Sink):
    """A line that shows the level of the audio and the posterior.

    It skips updates while the terminal accepts no output, because it was paused (Ctrl-S) or closed.
    """

    def __init__(self, console: Console, threshold: float, waiting: Callable[[], str]) -> None:
        self._threshold = threshold
        self._waiting = waiting
        self._terminal = console.file.fileno()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._last_update = 0.0  # on the monotonic clock
        self._level, self._posterior = METER_FLOOR, 0.0  # the highest since then; the level is in dBFS

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError, OutputError):  # OSError: on standard error
            self._live.stop()

    def on_audio(self, samples: Samples, posterior: float) -> None:
        """Update the meter with the highest level and posterior since the last update."""
        self._level = max(self._level, level(samples))
        self._posterior = max(self._posterior, posterior)
        now = time.monotonic()
        if now - self._last_update >= REFRESH_INTERVAL:
            if accepts_output(self._terminal):
                with suppress(OSError, OutputError):
                    self._live.update(self._line(), refresh=True)
            self._last_update, self._level, self._posterior = now, METER_FLOOR, 0.0

    def _line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        if waiting := self._waiting():
            line.add_row(waiting)
            return line
        width = max(1, min(24, (self._live.console.width - LABEL_COLUMNS) // 2))  # of each bar
        color = "green" if self._posterior >= self._threshold else "yellow"
        line.add_row(
            "level",
            ProgressBar(-METER_FLOOR, self._level - METER_FLOOR, width=width),
            f"{self._level:4.0f} dB",
            "posterior",
            ProgressBar(
                total=1, completed=self._posterior, width=width, complete_style=color, finished_style=color
            ),
            four_digits(self._posterior),
        )
        return line
