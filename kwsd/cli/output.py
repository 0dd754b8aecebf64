"""Standard output whose failure is one line: a full disk says so wherever the program was about to print."""

import errno
import io
import sys
from typing import Any, TextIO

from kwsd.errors import KwsdError


class Descriptor(io.FileIO):
    """Raises KwsdError where nothing can be written, and BrokenPipeError where nobody reads any more."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            if sys.platform == "win32" and error.errno == errno.EINVAL:  # what it says of a closed pipe
                raise BrokenPipeError from error
            raise KwsdError(f"cannot write to standard output: {error.strerror}") from error


def checked(stream: TextIO) -> TextIO:
    """A stream like this one that raises as `Descriptor` does. What its encoding lacks is written escaped.

    A console of Windows stays as it is: it takes text, and no bytes.
    """
    if sys.platform == "win32" and stream.isatty():
        return stream
    raw = Descriptor(stream.fileno(), "w", closefd=False)
    through = getattr(stream, "write_through", False)  # with PYTHONUNBUFFERED
    return io.TextIOWrapper(
        raw if through else io.BufferedWriter(raw),  # as Python itself makes it
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.isatty(),
        write_through=through,
    )
