"""Lets libsndfile read a part of a file as if it were a separate file."""

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

MAX_TRAILER = 4096  # bytes after the audio that are ignored
ENDLESS_SIZE = 1 << 50  # bytes that an endless part claims to have


@dataclass(frozen=True)
class Part:
    """One stream: the bytes `start` to `stop` of a file, after a `head` that replaces its header."""

    start: int
    stop: int
    head: bytes = b""
    endless: bool = False  # hide its size, from which libsndfile would estimate the length of an MP3
    seconds: float | None = None  # announced length, if the header that libsndfile reads does not contain it
    remark: str = ""  # for the user


class PartFile(io.RawIOBase):
    """A file object for libsndfile that contains one part.

    An error while reading looks like the end of the file and is stored in `error`, because libsndfile calls
    `read` from C, where an exception would be lost.
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
        end = ENDLESS_SIZE if self._part.endless else self._size
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: end}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        if self._part.endless and self._at > self._size:  # the MP3 decoder looks for a tag there
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
