"""Hand-written notes for generated pages. They are in a separate file, so no page overwrites them."""

from pathlib import Path

from kwsd.errors import UsageError


def notes_beside(path: Path) -> str:
    """The text of NAME.notes.md in the folder of the model or page NAME.*, or "" if there is no such file.

    Raises UsageError if the file cannot be read.
    """
    notes = path.with_suffix(".notes.md")
    try:
        return notes.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"cannot read {notes}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{notes} is not UTF-8; save it as UTF-8") from error
