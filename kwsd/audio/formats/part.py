"""A part of a file, read as a file of its own."""

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

ENDLESS = 1 << 50  # bytes


@dataclass(frozen=True)
class Part:
    """Bytes `start` to `stop` of a file, behind a `head` of other bytes: one stream under one header."""

    start: int
    stop: int
    head: bytes = b""
    endless: bool = False  # it is to look as if it had no end: by its size an MP3's length would be guessed
    seconds: float | None = None  # of audio that should be there, where the header that is read does not say
    remark: str = ""  # what a person should know of it


class PartFile(io.RawIOBase):
    """A part, to be read from beginning to end by libsndfile.

    An error of reading looks like its end there, and is kept: an exception would be lost in the callback.
    """

    def __init__(self, file: BinaryIO, part: Part) -> None:
        self.error: OSError | None = None
        self._file, self._part = file, part
        self._size = len(part.head) + part.stop - part.start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        end = ENDLESS if self._part.endless else self._size
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: end}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        if self._part.endless and self._at > self._size:  # an MP3's decoder looks for a tag there
            return bytes(size)
        stop = self._size if size < 0 else min(self._size, self._at + size)
        head = self._part.head[self._at : stop]
        data = head + self._read_file(
            self._at + len(head) - len(self._part.head), stop - self._at - len(head)
        )
        self._at += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a cffi buffer
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read_file(self, at: int, count: int) -> bytes:
        if count <= 0:
            return b""
        try:
            self._file.seek(self._part.start + at)
            return self._file.read(count)
        except OSError as error:
            self.error = error
            return b""
