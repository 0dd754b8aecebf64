"""The errors a person is shown: one clear line that names the thing and the mend."""

from numbers import Integral

SHOWN = 40  # characters of a foreign value in a message


class KwsdError(Exception):
    """A failure at run time (exit code 1). Its text is one line for a person to read."""


class UsageError(KwsdError):
    """What was asked for cannot be (exit code 2): a wrong option, file or device name."""


class ModelError(UsageError):
    """A model file that cannot be used: absent, damaged, hostile, or made for something else."""


class AudioError(KwsdError):
    """Audio that cannot be had: no library, no device, a device gone, a file that is no audio."""


class AbsentError(AudioError):
    """A microphone that is not there at the moment."""


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
