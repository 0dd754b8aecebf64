"""What a person sees: a line per trigger and, if wanted, a live meter of level and posterior. Needs rich."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

import numpy as np
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kwsd.daemon.events import Event
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.sinks.stdout import accepts_output
from kwsd.errors import UsageError
from kwsd.pcm import Samples

FLOOR = -60.0  # dBFS, the left end of the meter
TEXT = 34  # columns of the meter beside its two bars
REFRESH = 0.1  # seconds between two pictures of the meter


def four_digits(posterior: float) -> str:
    """A posterior as a threshold that it reaches: rounded down, so that 0.99996 is 0.9999 and not 1."""
    return f"{math.floor(posterior * 10_000) / 10_000:.4f}"


class Output(Console):
    """A console that lets a BrokenPipeError through instead of ending the process."""

    def on_broken_pipe(self) -> None:
        raise  # the one being handled


class Terminal(Sink):
    """Prints triggers on standard output; draws the meter there, too, or on standard error."""

    def __init__(self) -> None:
        self._console = Output(highlight=False)

    def on_trigger(self, event: Event) -> None:
        line = Text.assemble(
            (f"{event.time:%H:%M:%S}  ", "dim"),
            (event.keyword, "bold green"),
            f"  posterior {four_digits(event.posterior)}",
            (f"  at {event.stream_time:.2f} s", "dim"),
        )
        self._console.print(line)

    def meter(self, threshold: float, waiting: Callable[[], str]) -> "Meter":
        """`waiting`: why no audio comes, if so. Raises UsageError where there is no terminal to draw on."""
        console = self._console if self._console.is_terminal else Console(stderr=True)
        if not console.is_terminal:
            raise UsageError("--meter needs a terminal to draw on")
        return Meter(console, threshold, waiting)


class Meter(Sink):
    """A line that shows how loud it is and how sure the detector is.

    A terminal that takes no more, because it was stopped (Ctrl-S) or closed, is not drawn on.
    """

    def __init__(self, console: Console, threshold: float, waiting: Callable[[], str]) -> None:
        self._threshold = threshold
        self._waiting = waiting
        self._terminal = console.file.fileno()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0  # when, on the monotonic clock
        self._level, self._posterior = FLOOR, 0.0  # highest since then

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            self._live.stop()

    def on_audio(self, samples: Samples, posterior: float) -> None:
        power = float(samples @ samples) / max(1, len(samples))
        self._level = max(self._level, 10 * np.log10(power + 1e-12))
        self._posterior = max(self._posterior, posterior)
        now = time.monotonic()
        if now - self._drawn >= REFRESH:
            if accepts_output(self._terminal):
                with suppress(OSError):
                    self._live.update(self._line(), refresh=True)
            self._drawn, self._level, self._posterior = now, FLOOR, 0.0

    def _line(self) -> Table:
        line = Table.grid(padding=(0, 1))
        width = max(1, min(24, (self._live.console.width - TEXT) // 2))  # of a bar
        heard = "green" if self._posterior >= self._threshold else "yellow"
        if waiting := self._waiting():
            line.add_row(waiting)
            return line
        line.add_row(
            "level",
            ProgressBar(-FLOOR, self._level - FLOOR, width=width),
            f"{self._level:4.0f} dB",
            "posterior",
            ProgressBar(
                total=1, completed=self._posterior, width=width, complete_style=heard, finished_style=heard
            ),
            four_digits(self._posterior),
        )
        return line
