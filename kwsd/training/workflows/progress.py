"""How workflows report their progress: a protocol, an implementation that draws nothing, and interrupts."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kwsd.errors import KwsdError, one_line

if TYPE_CHECKING:
    from kwsd.training.data.reader import Reader
    from kwsd.training.fit.trainer import Epoch

MAX_REMARKS = 10  # about recordings that are used; further ones are only counted


class Progress(Protocol):
    """Methods that a workflow calls while it runs. kwsd.cli.progress draws them on a terminal."""

    def stage(self, name: str, total: int | None = None, done: int = 0) -> AbstractContextManager[None]:
        """A part of the work, as a context: `total` batches or trials, of which `done` are already done."""

    def batch(self) -> None:
        """A batch of the stage is done."""

    def count(self, done: int, total: int | None) -> None:
        """`done` clips or bytes of the stage are done, of `total` if that is known."""

    def epoch(self, epoch: "Epoch") -> None:
        """An epoch is done."""

    def trial(self, done: int, line: str) -> None:
        """A trial of a search is done, `done` in all. line: its parameters and result."""

    def note(self, line: str) -> None:
        """A result or a fact for the user."""

    def warning(self, line: str) -> None:
        """Something unexpected, for example a recording that cannot be used."""


class Silent:
    """A `Progress` that draws nothing. Warnings go to Python's logging."""

    @contextmanager
    def stage(self, name: str, total: int | None = None, done: int = 0) -> Iterator[None]:  # noqa: ARG002
        yield

    def batch(self) -> None: ...

    def count(self, done: int, total: int | None) -> None: ...

    def epoch(self, epoch: "Epoch") -> None: ...

    def trial(self, done: int, line: str) -> None: ...

    def note(self, line: str) -> None: ...

    def warning(self, line: str) -> None:
        logging.getLogger("kwsd").warning(line)


SILENT = Silent()


def warn_of_recordings(reader: "Reader", progress: Progress) -> None:
    """Warn of the recordings that were left out since the last call, and of odd ones."""
    left_out, remarks = reader.unreported()
    if left_out:
        progress.warning(f"{len(left_out)} recordings cannot be used and are left out:")
    for path, reason in left_out:
        progress.warning(f"  {one_line(path)}: {one_line(reason)}")
    for remark in remarks[:MAX_REMARKS]:
        progress.warning(one_line(remark))
    if len(remarks) > MAX_REMARKS:
        progress.warning(f"... and {len(remarks) - MAX_REMARKS} more such recordings")


@contextmanager
def on_interrupt(progress: Progress, line: Callable[[], str]) -> Iterator[None]:
    """Warn with a line when Ctrl-C interrupts the block, unless a block in it has already warned."""
    try:
        yield
    except KeyboardInterrupt as error:
        if not getattr(error, "__notes__", ()):
            error.add_note(line())
            progress.warning(line())
        raise


@contextmanager
def filling(folder: Path, progress: Progress) -> Iterator[None]:
    """Say how to continue when Ctrl-C or an error stops the writing of files to a folder in the block.

    Raises KwsdError for an error.
    """
    import soundfile

    again = f"{folder} keeps its files; the same command continues"
    with on_interrupt(progress, lambda: f"stopped; {again}"):
        try:
            yield
        except (OSError, soundfile.SoundFileError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise KwsdError(f"cannot write to {folder}: {reason}; {again}") from error
