"""Shows the progress of long commands: lines and progress bars on standard output."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
import rich.progress
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from kwsd.cli.lenient_output import LenientOutput
from kwsd.daemon.logs import say
from kwsd.training.workflows import progress as workflows

if TYPE_CHECKING:
    from kwsd.training.data.reader import Reader
    from kwsd.training.fit.trainer import Epoch

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
            TimeRemainingColumn(),
        )
        with rich.progress.Progress(*columns, console=console, transient=True) as self._bar:
            self._bar.add_task(name, total=total, completed=done)
            try:
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
def drawn() -> Iterator[DrawnProgress]:
    """Draw the progress of a workflow. Ctrl-C ends the command, after the workflow has said what remains."""
    try:
        yield DrawnProgress()
    except KeyboardInterrupt as error:
        raise click.Abort from error


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """If Ctrl-C or a full disk stops the writing to a folder, say how to continue. Raises KwsdError."""
    with drawn() as progress, workflows.filling(folder, progress):
        yield


def warn_of_recordings(reader: "Reader") -> None:
    """Report on standard error which recordings were left out, and what is unusual about others."""
    workflows.warn_of_recordings(reader, DrawnProgress())
