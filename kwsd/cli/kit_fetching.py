"""What `kwsd kit` and `kwsd new` share: the option --kit, and the question before anything is fetched."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import NewFolder
from kwsd.cli.progress import tell
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.training.data.kit.kit import Kit
    from kwsd.training.data.kit.manifest import Part

KIT = click.option(
    "--kit",
    type=NewFolder(),
    help="Folder of the kit.  [default: $XDG_DATA_HOME/kwsd/kit or ~/.local/share/kwsd/kit; on Windows "
    "%LOCALAPPDATA%/kwsd/kit]",
)
YES = click.option("--yes", is_flag=True, help="Fetch without asking.")


def open_kit(folder: Path | None) -> "Kit":
    """The kit in a folder; None: the user's."""
    from kwsd.training.data.kit.kit import Kit

    return Kit(folder)


def someone_can_answer() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin.isatty()


def megabytes(size: int) -> str:
    """A size in MB."""
    return f"{size / 1e6:,.0f} MB"


def may_fetch(kit: "Kit", parts: "Sequence[Part]", yes: bool) -> bool:
    """Whether the user agrees to fetch parts that are not there; asks, unless `yes`.

    Raises UsageError if there is nobody to ask.
    """
    size, unpacked = sum(part.size for part in parts), sum(part.unpacked for part in parts)
    names = ", ".join(part.name for part in parts)
    tell(f"To fetch: {names}; {megabytes(size)}, {megabytes(unpacked)} on the disk, into {kit.folder}")
    tell("What each is, and its licence: kwsd kit list")
    if not yes and not someone_can_answer():
        raise UsageError("there is no terminal to ask on: give --yes to fetch")
    return yes or click.confirm("Fetch now?", default=True)
