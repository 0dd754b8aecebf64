"""Shows the progress of long commands: lines and progress bars on standard output."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import click
import rich.progress
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kwsd.cli.lenient_output import LenientOutput
from kwsd.daemon.logs import say

if TYPE_CHECKING:
    from kwsd.training.fit.trainer import Epoch

EVERY_SECONDS = 9.0  # between two lines about a stage, where no bar can be drawn

# For progress and notes. A table that is the result of a command goes to a plain Console(), which fails with
# an error if it cannot print.
console = Console(file=LenientOutput())  # type: ignore[arg-type]  # has all that Console needs


def tell(line: str, style: str = "") -> None:
    """Print a line as it is: not wrapped, and without treating brackets as markup."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


class DrawnProgress:
    """Draws a workflow's progress (kwsd.training.workflows.progress.Progress): a bar, and lines above it."""

    def __init__(self) -> None:
        self._bar: rich.progress.Progress | None = None

    @contextmanager
    def stage(self, name: str, total: int | None = None, done: int = 0) -> Iterator[None]:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("so far"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with rich.progress.Progress(*columns, console=console, transient=True) as self._bar:
            self._bar.add_task(name, total=total, completed=done)
            [task] = self._bar.tasks
            try:
                with nullcontext() if console.is_terminal else _lines_about(task):
                    yield
            finally:
                self._bar = None

    def batch(self) -> None:
        if self._bar:
            self._bar.advance(self._bar.task_ids[0])

    def count(self, done: int, total: int | None) -> None:
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done, total=total)

    def epoch(self, epoch: "Epoch") -> None:
        best = "  [green]best so far[/]" if epoch.best else ""
        console.print(
            f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}  "
            f"validation 1 - AUROC {epoch.validation:.2e}{best}"
        )

    def trial(self, done: int, line: str) -> None:
        console.print(line)
        if self._bar:
            self._bar.update(self._bar.task_ids[0], completed=done)

    def note(self, line: str) -> None:
        tell(line)

    def warning(self, line: str) -> None:
        say(line, logging.WARNING)


@contextmanager
def _lines_about(task: rich.progress.Task) -> Iterator[None]:
    """Print a line about a stage to standard error every EVERY_SECONDS."""
    over = threading.Event()

    def print_lines() -> None:
        while not over.wait(EVERY_SECONDS):
            say(state_of(task), logging.INFO)

    printer = threading.Thread(target=print_lines, daemon=True)
    printer.start()
    try:
        yield
    finally:
        over.set()
        printer.join()


def state_of(task: rich.progress.Task) -> str:
    """What there is to say of a stage that goes on: its name, the share that is done, and the time."""
    state = f"{task.description}: {_duration(task.elapsed or 0)} so far"
    if task.total:
        state += f", {task.percentage:.0f} %"
    if task.time_remaining is not None:
        state += f", {_duration(task.time_remaining)} left"
    return state


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


@contextmanager
def drawn() -> Iterator[DrawnProgress]:
    """Draw the progress of a workflow. Ctrl-C ends the command, after the workflow has said what remains."""
    try:
        yield DrawnProgress()
    except KeyboardInterrupt as error:
        raise click.Abort from error
