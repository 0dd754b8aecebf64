"""The errors that a user sees: one clear line that names the problem and the fix."""

import errno
from numbers import Integral

MAX_SHOWN = 40  # longest text, in characters, that `shown` returns

# errno values that retrying does not cure, for example because the path is a folder or its name is too long
PERMANENT = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


class KwsdError(Exception):
    """A failure at run time (exit code 1). Its text is one line that a user can read."""

    @property
    def exit_code(self) -> int:
        return 1


class OutputError(KwsdError):
    """Standard output cannot be written, for example because the disk is full."""


class ReaderLeftError(OutputError):
    """The reader of standard output has exited, as `head` does. That is a normal end (exit code 0)."""

    @property
    def exit_code(self) -> int:
        return 0


class UsageError(KwsdError):
    """A wrong option, file or device name (exit code 2).

    transient: whether the same command may succeed later, for example once a disk is mounted (exit code 1).
    systemd restarts a service that exits with 1, but not one that exits with 2.
    """

    def __init__(self, text: str, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient

    @property
    def exit_code(self) -> int:
        return 1 if self.transient else 2


class ModelError(UsageError):
    """A model file that cannot be used: missing, damaged, malicious, or not a kwsd model."""


class AudioError(KwsdError):
    """No audio: a missing library, no device, a disconnected device, or a file that is not audio."""


class AbsentError(AudioError):
    """A microphone that is not connected at the moment."""


class BusyError(AudioError):
    """A microphone that another program uses."""


def shown(value: object) -> str:
    """Format a value from a file, server or device for a message: one line of at most MAX_SHOWN characters.

    Control characters are escaped, and a long text is cut. A container is shown as its type only, because it
    may be huge or contain itself.
    """
    if isinstance(value, str | bytes):
        text = repr(value[:MAX_SHOWN])
    elif value is None or isinstance(value, bool):
        text = str(value)
    elif isinstance(value, Integral):
        text = str(int(value)) if int(value).bit_length() <= 64 else "a number of more than 64 bits"
    elif isinstance(value, float):
        text = str(float(value))
    else:
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."


def one_line(text: object) -> str:
    """Escape control and other unprintable characters in a text, for example a path. It is not cut."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def is_transient(error: OSError) -> bool:
    """Whether a retry may succeed later: a missing file, no permission, a full disk or too little memory."""
    return error.errno not in PERMANENT
