"""``kwsd teach``: adapts a model to the voices of its users."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Folder, ModelName, NewFolder, Output, Text
from kwsd.cli.ignored import refuse_ignored
from kwsd.cli.progress import drawn, tell
from kwsd.errors import AudioError, UsageError


@click.command(name="teach", cls=CheckedCommand)
@click.argument("model", type=ModelName())
@click.option(
    "--recordings",
    type=Folder(),
    multiple=True,
    help="Folder of recordings of the word, instead of the microphone. Repeatable.",
)
@click.option(
    "--not",
    "others",
    type=Folder(),
    multiple=True,
    help="Folder of recordings of what sounds like the word and is not. Repeatable.",
)
@click.option(
    "--speech",
    type=Folder(),
    multiple=True,
    help="Folder of speech without the word, to count false alarms in. Repeatable.",
)
@click.option("--out", type=Output(), help="Model file to write.  [default: MODEL-taught.pt]")
@click.option(
    "--keep",
    type=NewFolder(),
    metavar="DIR",
    help="Folder that keeps what the microphone records; what it holds is used, too.  "
    "[default: MODEL-recordings]",
)
@click.option(
    "--count", type=click.IntRange(3, 100), default=10, show_default=True, help="Recordings to make."
)
@click.option("--device", type=Text(), metavar="NAME|INDEX", help="Microphone, by index or part of its name.")
@click.option("--channel", type=click.IntRange(min=1), help="Channel to record.  [default: the mean of all]")
@click.option("--no-play", is_flag=True, help="Do not play the first recording back.")
def command(
    model: str,
    recordings: tuple[Path, ...],
    others: tuple[Path, ...],
    speech: tuple[Path, ...],
    out: Path | None,
    keep: Path | None,
    count: int,
    device: str | None,
    channel: int | None,
    no_play: bool,
) -> None:
    """Records the word ten times, or takes the recordings in folders, and adapts MODEL to these voices.

    MODEL is a file or the name of a shipped model with a second stage. It stays as it is; the taught model is
    a new file. Whoever was heard before is still heard.
    """
    from kwsd.runtime.modelfile import find_model, read_model, short_name
    from kwsd.training.workflows.teach import check_teachable, teach_folders

    path = find_model(model)
    loaded = read_model(path)
    check_teachable(loaded)
    out = out or Path(f"{path.stem}-taught.pt")
    Output().check(out)
    if out.exists() and out.samefile(path):
        raise UsageError(f"--out {out} is the model itself; give another name")
    if recordings:
        refuse_ignored("cannot be used with --recordings", "keep", "count", "device", "channel", "no_play")
    keep = keep or Path(f"{path.stem}-recordings")
    with drawn() as progress:
        if not recordings:
            NewFolder().check(keep)
            record(loaded.keyword, keep, count, device, channel, play_back=not no_play)
            recordings = (keep,)
        teach_folders(loaded, recordings, others, speech, out, progress)
        progress.note(f"{out} is ready: kwsd listen {short_name(out)}")


def record(
    keyword: str, folder: Path, count: int, device: str | None, channel: int | None, play_back: bool
) -> None:
    """Record the word from the microphone into a folder. Ctrl-C keeps what was recorded."""
    from kwsd.audio.open import open_source
    from kwsd.audio.player import play
    from kwsd.training.teaching.record import record_takes

    tell(
        f"Say {keyword!r} each time you are asked to, as you would to the device, also from across the room."
    )
    kept: list[Path] = []

    def prompt(number: int, wrong: str) -> None:
        if wrong:
            tell(f"  {wrong}", "yellow")
        tell(f"{number} of {count}: say it now")

    def recorded(path: Path) -> None:
        kept.append(path)
        if play_back and len(kept) == 1:
            tell("  this is how it sounds")
            try:
                play(path)
            except AudioError as error:
                tell(f"  {error}", "yellow")

    try:
        with open_source(None, device, exit_on_loss=True, channel=channel) as source:
            record_takes(source, folder, count, prompt, recorded)
    finally:
        tell(f"{len(kept)} recordings were added to {folder}")
