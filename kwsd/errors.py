"""The errors a person is shown: one clear line that names the thing and the fix."""

import errno
from numbers import Integral

SHOWN = 40  # characters of a foreign value in a message

# of a path that is wrong, however often it is tried: a folder in a file's place, a name too long, ...
WRONG = {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL}


class KwsdError(Exception):
    """A failure at run time (exit code 1). Its text is one line for a person to read."""

    @property
    def exit_code(self) -> int:
        return 1


class UsageError(KwsdError):
    """What was asked for cannot be: a wrong option, file or device name (exit code 2).

    `transient`: the same may work later, as with a file on a disk that is not mounted yet (exit code 1).
    systemd restarts a service that ends with 1, but not one that ends with 2.
    """

    def __init__(self, text: str, transient: bool = False) -> None:
        super().__init__(text)
        self.transient = transient

    @property
    def exit_code(self) -> int:
        return 1 if self.transient else 2


class ModelError(UsageError):
    """A model file that cannot be used: absent, damaged, hostile, or made for something else."""


class AudioError(KwsdError):
    """Audio that cannot be had: no library, no device, a device gone, a file that is no audio."""


class AbsentError(AudioError):
    """A microphone that is not there at the moment."""


class BusyError(AudioError):
    """A microphone that another program has."""


def shown(value: object) -> str:
    """A value from a file, a server or a device, for a message: one line of at most SHOWN characters.

    Control characters are escaped. A long text is not read to its end, and of anything that holds other
    values only the type is named: it may be huge, or hold itself.
    """
    if isinstance(value, str | bytes):
        text = repr(value[:SHOWN])
    elif value is None or isinstance(value, bool):
        text = str(value)
    elif isinstance(value, Integral):
        text = str(int(value)) if int(value).bit_length() <= 64 else "a number of more than 64 bits"
    elif isinstance(value, float):
        text = str(float(value))
    else:
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def one_line(text: object) -> str:
    """The whole text, a path for example, with control characters and what cannot be printed escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def is_transient(error: OSError) -> bool:
    """Whether what fails now may work later: not there, no permission, a full disk, no memory."""
    return error.errno not in WRONG
