"""How workflows report what they do: a protocol, an implementation that draws nothing, and interrupts."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kwsd.errors import KwsdError, one_line

if TYPE_CHECKING:
    from kwsd.training.data.reader import Reader
    from kwsd.training.fit.trainer import Epoch

MOST_REMARKS = 10  # on recordings that are used: others are only counted


class Progress(Protocol):
    """What a workflow calls while it runs. kwsd.cli.progress draws it on a terminal."""

    def stage(self, name: str, total: int | None = None, done: int = 0) -> AbstractContextManager[None]:
        """A part of the work, open while it lasts: `total` batches or trials, of which `done` are done."""

    def batch(self) -> None:
        """A batch of the stage is done."""

    def count(self, done: int, total: int | None) -> None:
        """So many of the stage's clips or bytes are done, of `total` if that is known."""

    def epoch(self, epoch: "Epoch") -> None:
        """An epoch is done."""

    def trial(self, done: int, line: str) -> None:
        """A trial of a search is done, the `done`th; `line` says how it went."""

    def note(self, line: str) -> None:
        """Something that the user wants to read."""

    def warning(self, line: str) -> None:
        """Something that is not as the user meant it."""


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
    """Name the recordings that were left out since the last call, and what is odd about others."""
    left_out, remarks = reader.unreported()
    if left_out:
        progress.warning(f"{len(left_out)} recordings cannot be used and are left out:")
    for path, reason in left_out:
        progress.warning(f"  {one_line(path)}: {one_line(reason)}")
    for remark in remarks[:MOST_REMARKS]:
        progress.warning(one_line(remark))
    if len(remarks) > MOST_REMARKS:
        progress.warning(f"... and {len(remarks) - MOST_REMARKS} more such recordings")


@contextmanager
def on_interrupt(progress: Progress, line: Callable[[], str]) -> Iterator[None]:
    """Warn with a line when Ctrl-C ends what is done inside."""
    try:
        yield
    except KeyboardInterrupt:
        progress.warning(line())
        raise


@contextmanager
def filling(folder: Path, progress: Progress) -> Iterator[None]:
    """Say how to go on when Ctrl-C or the disk ends the writing of files to a folder. Raises KwsdError."""
    import soundfile

    again = f"{folder} keeps what is there: the same command goes on"
    with on_interrupt(progress, lambda: f"stopped; {again}"):
        try:
            yield
        except (OSError, soundfile.SoundFileError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise KwsdError(f"cannot write to {folder}: {reason}; {again}") from error
