"""Keeps recordings in a temporary file, so that hours of them take no memory."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from kwsd.errors import KwsdError

Audio = npt.NDArray[np.int16]

LARGE = Path("/var/tmp")  # for large temporary files (file-hierarchy(7)); /tmp may be in memory


def spool_folder() -> Path:
    """The folder for spools: $TMPDIR, or LARGE."""
    if "TMPDIR" not in os.environ and os.access(LARGE, os.W_OK):
        return LARGE
    return Path(tempfile.gettempdir())


class Spool:
    """A temporary file of samples, 16 kHz mono int16. It is deleted with the last recording in it."""

    def __init__(self) -> None:
        self.folder = spool_folder()
        descriptor, name = tempfile.mkstemp(prefix="kwsd-", suffix=".s16", dir=self.folder)
        self.path = Path(name)
        self._file = os.fdopen(descriptor, "wb")
        opened = Path(f"/proc/{os.getpid()}/fd/{descriptor}")
        if opened.exists():  # then the file needs no name, and it is gone however kwsd ends
            self.path.unlink()
            self.path = opened
            weakref.finalize(self, self._file.close)
        else:
            weakref.finalize(self, _remove, self._file, self.path)

    def add(self, chunks: Iterable[Audio]) -> "Recording":
        """Add a recording that comes in chunks, (n,) each. Raises KwsdError if the disk is full."""
        start = self._file.tell()
        try:
            for chunk in chunks:
                try:
                    self._file.write(chunk.tobytes())
                except OSError as error:
                    raise self._full(error) from error
            return Recording(self.path, start, self._end() - start, self)
        except BaseException:
            self._file.seek(start)
            self._file.truncate()
            raise

    def samples(self) -> Audio:
        """All recordings, one after another, (n,): an array that is read from the file when it is used.

        joblib's workers on this machine read it from the file, too.
        """
        if not (size := self._end()):
            return np.empty(0, np.int16)
        samples = np.memmap(str(self.path), np.int16, "r", shape=size // 2)
        weakref.finalize(samples, lambda _: None, self)  # the file stays as long as the array
        return samples

    def _end(self) -> int:
        try:
            self._file.flush()
        except OSError as error:
            raise self._full(error) from error
        return self._file.tell()

    def _full(self, error: OSError) -> KwsdError:
        return KwsdError(
            f"{self.folder}: {error.strerror}; recordings take 115 MB an hour there: set TMPDIR to "
            "a folder with more room"
        )


class Recording:
    """A recording in a spool: a length, and slices that are arrays. Pickled, it becomes an array.

    So a worker process can have it, also on a machine that does not see the spool.
    """

    def __init__(self, path: Path, start: int, size: int, spool: Spool) -> None:
        """start, size: in bytes. spool: kept as long as the recording."""
        self._path, self._start, self._size, self._spool = path, start, size, spool

    def __len__(self) -> int:
        return self._size // 2

    def __getitem__(self, part: slice) -> Audio:
        start, stop, _ = part.indices(len(self))
        count = max(0, stop - start)
        return np.fromfile(self._path, np.int16, count, offset=self._start + 2 * start)

    def __reduce__(self) -> tuple[Any, ...]:
        return np.asarray, (self[:],)


def _remove(file: BinaryIO, path: Path) -> None:
    file.close()
    path.unlink(missing_ok=True)
