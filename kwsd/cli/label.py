"""``kwsd label``: sorts clips, such as near misses, into those that are the word and those that are not."""

import sys
from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Folder
from kwsd.cli.progress import tell
from kwsd.errors import AudioError

ANSWERS = ("y", "n", "s", "q")


@click.command(name="label", cls=CheckedCommand)
@click.argument("folder", type=Folder(), metavar="DIR")
@click.option("--no-play", is_flag=True, help="Print the path of each clip instead of playing it.")
def command(folder: Path, no_play: bool) -> None:
    """Plays each clip in DIR and asks whether it is the word: y, n, s (skip) or q (quit).

    A clip goes to DIR/yes or DIR/no at once. Then teach with them:

        kwsd teach MODEL --recordings DIR/yes --not DIR/no

    Keys are read from a terminal, and lines from a pipe.
    """
    from kwsd.audio.player import play
    from kwsd.training.workflows.label import Labelled, label

    def ask(clip: Path, number: int, count: int) -> str:
        tell(f"{number} of {count}: {clip}")
        if not no_play:
            try:
                play(clip)
            except AudioError as error:
                raise AudioError(f"{error}; or give --no-play") from error
        return answer()

    done = Labelled()
    try:
        label(folder, ask, done)
    except KeyboardInterrupt as error:
        raise click.Abort from error
    finally:
        tell(f"{done.yes} are the word, {done.no} are not, {done.left} are left")


def answer() -> str:
    """The next answer of the user; to quit if there is no more input."""
    while True:
        click.echo("Is it the word? [y/n/s/q] ", nl=False)
        typed = click.getchar(echo=True) if sys.stdin.isatty() else sys.stdin.readline()
        click.echo("" if sys.stdin.isatty() else typed.strip())
        if typed in ("", "\x04"):  # the end of the input, Ctrl-D
            return "q"
        if typed.strip().lower() in ANSWERS:
            return typed.strip().lower()
