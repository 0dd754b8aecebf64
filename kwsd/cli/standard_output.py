"""Standard output for commands whose work matters more than what they print."""

import logging
import sys
from typing import Any

from kwsd.daemon.logs import say


class StandardOutput:
    """A file for rich's console, which writes to whatever ``sys.stdout`` is at the moment.

    What cannot be written (a full disk, a closed pipe) is reported once and ends nothing: training goes on.
    """

    def __init__(self) -> None:
        self._lost = False

    def write(self, text: str) -> int:
        """Write text; characters that the encoding lacks, and bytes of file names, are escaped."""
        try:
            text.encode(self._file.encoding or "utf-8")
        except UnicodeEncodeError:
            encoding = self._file.encoding or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            return int(self._file.write(text))
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Send on what was written."""
        try:
            self._file.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @property
    def _file(self) -> Any:
        # while rich draws a progress bar, sys.stdout is a proxy of the console
        return getattr(sys.stdout, "rich_proxied_file", sys.stdout)

    def _lose(self, error: OSError) -> None:
        if not self._lost:
            self._lost = True
            if not isinstance(error, BrokenPipeError):  # its reader left: it has what it wanted
                say(f"cannot write to standard output: {error.strerror}; the work goes on", logging.WARNING)
