"""What the workshop's commands share: the console, progress bars, and the check that torch is there."""

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.training.train import Epoch

console = Console()


def needs_torch() -> None:
    """Raise UsageError where the workshop is not installed."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("torchaudio") is None:
        raise UsageError("this command needs the workshop: pip install 'kwsd[train]'")


@contextmanager
def epoch_progress(
    done: int, epochs: int, batches: int
) -> Iterator[tuple[Callable[["Epoch"], None], Callable[[], None]]]:
    """A bar over the epochs' batches, and a line an epoch. Yields (report an epoch, report a batch)."""
    columns = (TextColumn("epoch {task.fields[epoch]}/" + str(epochs)), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("train", total=epochs * batches, completed=done * batches, epoch=done + 1)

        def on_epoch(epoch: "Epoch") -> None:
            best = "  [green]best so far[/]" if epoch.best else ""
            progress.console.print(
                f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}  validation 1 - AUROC {epoch.validation:.2e}{best}"
            )
            progress.update(task, epoch=min(epoch.number + 1, epochs))

        yield on_epoch, lambda: progress.advance(task)


def download_with_progress(root: Path) -> None:
    """Fetch the Speech Commands archive into `root`, drawing how far it is."""
    from kwsd.training.download import download

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("speech_commands_v0.01.tar.gz", total=None)
        download(root, lambda have, total: progress.update(task, completed=have, total=total))
