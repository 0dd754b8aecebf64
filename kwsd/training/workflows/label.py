"""``kwsd label``: sorts clips into those that are the word and those that are not, as the user hears them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kwsd.errors import KwsdError, UsageError
from kwsd.training.data.speech_commands import is_audio

YES, NO, SKIP, QUIT = "y", "n", "s", "q"
FOLDERS = {YES: "yes", NO: "no"}


@dataclass
class Labelled:
    """How many clips were sorted."""

    yes: int = 0
    no: int = 0
    left: int = 0
    """Clips that are not sorted yet."""


def clips_in(folder: Path) -> list[Path]:
    """The clips of a folder that are not sorted yet. Raises UsageError if there is none."""
    clips = sorted(path for path in folder.iterdir() if path.is_file() and is_audio(path))
    if not clips:
        raise UsageError(f"{folder} has no clips to label")
    return clips


def label(folder: Path, ask: Callable[[Path, int, int], str], done: Labelled) -> None:
    """Ask about each clip of a folder, and move it to the folder `yes` or `no` in it at once.

    ask: called with a clip, its number from 1 and the number of clips; returns YES, NO, SKIP or QUIT.
    done: is counted up, so it is right even if an exception ends this. Raises KwsdError if a clip cannot be
    moved.
    """
    clips = clips_in(folder)
    done.left = len(clips)
    for number, clip in enumerate(clips, 1):
        answer = ask(clip, number, len(clips))
        if answer == QUIT:
            return
        if answer not in FOLDERS:
            continue
        _move(clip, folder / FOLDERS[answer])
        done.left -= 1
        if answer == YES:
            done.yes += 1
        else:
            done.no += 1


def _move(clip: Path, folder: Path) -> None:
    """Move a clip to a folder. A file of that name there is not replaced."""
    target = folder / clip.name
    try:
        folder.mkdir(exist_ok=True)
        if target.exists():
            raise KwsdError(f"cannot move {clip}: {target} exists")
        clip.rename(target)
    except OSError as error:
        raise KwsdError(f"cannot move {clip} to {folder}: {error.strerror}") from error
