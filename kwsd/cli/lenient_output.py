"""Standard output for commands that must continue even if nothing can be printed."""

import logging
import sys
from typing import Any

from kwsd.daemon.logs import say
from kwsd.errors import OutputError, ReaderLeftError


class LenientOutput:
    """A file for rich's console that writes to the current ``sys.stdout``.

    If it cannot write (a full disk, a closed pipe), that is reported once and the command continues.
    """

    def __init__(self) -> None:
        self._reported = False

    def write(self, text: str) -> int:
        """Write text. Characters that the encoding cannot express are escaped."""
        try:
            text.encode(self._file.encoding or "utf-8")
        except UnicodeEncodeError:
            encoding = self._file.encoding or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
        try:
            return int(self._file.write(text))
        except OutputError as error:
            self._report(error)
            return len(text)

    def flush(self) -> None:
        """Flush ``sys.stdout``."""
        try:
            self._file.flush()
        except OutputError as error:
            self._report(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @property
    def _file(self) -> Any:
        # while rich draws a progress bar, sys.stdout is a proxy of its console
        return getattr(sys.stdout, "rich_proxied_file", sys.stdout)

    def _report(self, error: OutputError) -> None:
        if not self._reported:
            self._reported = True
            if not isinstance(error, ReaderLeftError):
                say(f"{error}; the command continues", logging.WARNING)
