"""``kwsd new``: trains a model for a keyword from its text alone, without recordings."""

import re
from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Folder, NewFolder, Text, TrainedOutput
from kwsd.cli.extras import needs_torch
from kwsd.cli.ignored import refuse_ignored
from kwsd.cli.kit_fetching import KIT, YES, may_fetch, open_kit
from kwsd.cli.options import (
    CLIPS,
    EPOCHS,
    FALSE_ALARMS,
    HARD,
    JOBS,
    KOKORO,
    LANGUAGE,
    NOISE,
    SEED,
    SPEECH,
    UNSEEN,
    command_line,
)
from kwsd.cli.parallel import Workers
from kwsd.cli.progress import drawn
from kwsd.errors import UsageError

AT_LEAST_ONE = click.IntRange(1, CLIPS.max)


@click.command(name="new", cls=CheckedCommand)
@click.argument("keyword", type=Text())
@click.option(
    "--out", type=TrainedOutput(), help="Model file to write.  [default: KEYWORD.pt, such as hey-marvin.pt]"
)
@click.option(
    "--work",
    type=NewFolder(),
    help="Folder that keeps the synthesized speech.  [default: OUT.speech]",
)
@LANGUAGE
@KIT
@click.option("--no-kit", is_flag=True, help="Use only the folders given here.")
@YES
@KOKORO
@click.option("--count", type=AT_LEAST_ONE, default=450, show_default=True, help="Clips of the keyword.")
@click.option(
    "--near-misses",
    type=AT_LEAST_ONE,
    default=250,
    show_default=True,
    help="Clips of words that sound like it.",
)
@click.option(
    "--sentences", type=AT_LEAST_ONE, default=40, show_default=True, help="Clips of sentences without it."
)
@click.option("--data", type=Folder(), help="Speech Commands folder, as a source of other words.")
@NOISE
@SPEECH
@UNSEEN
@HARD
@click.option("--epochs", type=EPOCHS, default=15, show_default=True, help="Epochs of training.")
@click.option(
    "--fa-per-hour",
    type=FALSE_ALARMS,
    default=0.5,
    show_default=True,
    help="Acceptable false alarms per hour, for which the threshold is chosen: validation speech may have "
    "half of them, because other speech has more.",
)
@JOBS
@SEED
@click.option(
    "--recordings",
    type=Folder(),
    multiple=True,
    help="Folder of recordings of KEYWORD by its users, whom OUT-taught.pt learns, as kwsd teach does. "
    "Repeatable.",
)
@click.option("--resume", is_flag=True, hidden=True, expose_value=False)  # in the cards of earlier models
def command(
    keyword: str,
    out: Path | None,
    work: Path | None,
    language: str,
    kit: Path | None,
    no_kit: bool,
    yes: bool,
    kokoro: Path | None,
    count: int,
    near_misses: int,
    sentences: int,
    data: Path | None,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    unseen: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    fa_per_hour: float,
    workers: Workers,
    seed: int,
    recordings: tuple[Path, ...],
) -> None:
    """Synthesizes KEYWORD in many voices, trains a model on them and chooses its threshold.

    No option is needed. Voices, noise and speech come from the kit, which is fetched once (kwsd kit). Folders
    given with --noise, --speech and --unseen are used in addition, --kokoro and --data instead of the kit's.

    After an interruption the same command continues.
    """
    needs_torch("new")
    from kwsd.runtime.modelfile import short_name
    from kwsd.training.release.release import Output
    from kwsd.training.synthesis.languages import LANGUAGES
    from kwsd.training.workflows.material import Material
    from kwsd.training.workflows.new import new_word, recipe_from_text
    from kwsd.training.workflows.run import Sources
    from kwsd.training.workflows.synthesize import Speech

    if no_kit:
        refuse_ignored("cannot be used with --no-kit", "kit", "yes")
    out = out or default_output(keyword)
    TrainedOutput().check(out)
    folder = work or out.with_suffix(".speech")
    NewFolder().check(folder)
    with drawn() as progress, workers as jobs:
        made = new_word(
            keyword,
            Speech(folder, count, near_misses, sentences, LANGUAGES[language]),
            recipe_from_text(epochs, seed),
            Output(out, resume=True, command=command_line()),
            material=Material(kokoro, data, Sources(noise, speech, hard, unseen)),
            kit=None if no_kit else open_kit(kit),
            may_fetch=lambda opened, missing: may_fetch(opened, missing, yes),
            recordings=recordings,
            fa_per_hour=fa_per_hour,
            jobs=jobs,
            progress=progress,
        )
        progress.note(f"{made} is ready: kwsd listen {short_name(made)}")


def default_output(keyword: str) -> Path:
    """The model file for a keyword in the current folder: hey-marvin.pt for "Hey Marvin".

    Raises UsageError if the keyword has no letters.
    """
    name = "-".join(re.findall(r"\w+", keyword.lower()))
    if not name:
        raise UsageError(f"'{keyword}' has no letters; spell the keyword as words")
    return Path(f"{name}.pt")
