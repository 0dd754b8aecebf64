"""Standard output that reports a full disk in one line, whatever was being printed."""

import errno
import io
import sys
from typing import Any, TextIO

from kwsd.errors import KwsdError


class RaisingFile(io.FileIO):
    """Raises KwsdError if it cannot write, and BrokenPipeError if the reader has exited."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            if sys.platform == "win32" and error.errno == errno.EINVAL:  # the error for a closed pipe
                raise BrokenPipeError from error
            raise KwsdError(f"cannot write to standard output: {error.strerror}") from error


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
