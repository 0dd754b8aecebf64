"""Standard output that reports a full disk in one line, whatever was being printed."""

import errno
import io
import sys
from typing import Any, TextIO

from kwsd.errors import OutputError, ReaderLeftError


class RaisingFile(io.FileIO):
    """Raises OutputError if it cannot write, and ReaderLeftError if the reader has exited.

    Not BrokenPipeError, with which click and rich exit with code 1.
    """

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # Windows has EINVAL for a closed pipe
            if error.errno == errno.EPIPE or (sys.platform == "win32" and error.errno == errno.EINVAL):
                raise ReaderLeftError("the reader of standard output has exited") from error
            raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def raising_output(stream: TextIO) -> TextIO:
    """A copy of the stream that raises as `RaisingFile` does, and escapes what its encoding cannot express.

    A Windows console is returned unchanged, because it accepts text but not bytes.
    """
    if sys.platform == "win32" and stream.isatty():
        return stream
    raw = RaisingFile(stream.fileno(), "w", closefd=False)
    through = getattr(stream, "write_through", False)  # set by PYTHONUNBUFFERED
    return io.TextIOWrapper(
        raw if through else io.BufferedWriter(raw),  # as in Python's own sys.stdout
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.isatty(),
        write_through=through,
    )
