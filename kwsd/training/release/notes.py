"""Hand-written text for generated pages: it lies in a file of its own, and survives their writing."""

from pathlib import Path

from kwsd.errors import UsageError


def notes_beside(path: Path) -> str:
    """The text of NAME.notes.md beside the model or page NAME.*, "" where there is none.

    Raises UsageError where the file cannot be read.
    """
    notes = path.with_suffix(".notes.md")
    try:
        return notes.read_text("utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise UsageError(f"cannot read {notes}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{notes}: it is not UTF-8") from error
