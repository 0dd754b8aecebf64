"""``kwsd new``: trains a model for a keyword from its text alone, without recordings."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Folder, NewFolder, Text
from kwsd.cli.extras import needs_torch
from kwsd.cli.options import (
    CLIPS,
    EPOCHS,
    FALSE_ALARMS,
    HARD,
    JOBS,
    KOKORO,
    NOISE,
    RESUME,
    SEED,
    SPEECH,
    TRAINED,
    UNSEEN,
    command_line,
)
from kwsd.cli.progress import drawn

AT_LEAST_ONE = click.IntRange(1, CLIPS.max)


@click.command(name="new", cls=CheckedCommand)
@click.argument("keyword", type=Text())
@TRAINED
@click.option(
    "--work",
    type=NewFolder(),
    help="Folder that keeps the synthesized speech.  [default: OUT.speech]",
)
@KOKORO
@click.option("--count", type=AT_LEAST_ONE, default=900, show_default=True, help="Clips of the keyword.")
@click.option(
    "--near-misses",
    type=AT_LEAST_ONE,
    default=500,
    show_default=True,
    help="Clips of words that sound like it.",
)
@click.option(
    "--sentences", type=AT_LEAST_ONE, default=60, show_default=True, help="Clips of sentences without it."
)
@click.option("--data", type=Folder(), help="Speech Commands folder, as a source of other words.")
@NOISE
@SPEECH
@UNSEEN
@HARD
@click.option("--epochs", type=EPOCHS, default=40, show_default=True, help="Epochs of each training run.")
@click.option(
    "--fa-per-hour",
    type=FALSE_ALARMS,
    default=0.5,
    show_default=True,
    help="Acceptable false alarms per hour, for which the threshold is chosen.",
)
@JOBS
@SEED
@RESUME
def command(
    keyword: str,
    out: Path,
    work: Path | None,
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
    jobs: int | None,
    seed: int,
    resume: bool,
) -> None:
    """Synthesizes KEYWORD in many voices, trains a model on them and chooses its threshold.

    It trains twice: what the first model mistakes for the keyword becomes hard negatives for the second.
    """
    needs_torch()
    from kwsd.runtime.model import BASELINE
    from kwsd.training.augment.augmentation import Augmentation
    from kwsd.training.fit.recipe import Recipe, Teaching
    from kwsd.training.release.release import Output
    from kwsd.training.workflows.from_text import Speech, train_from_text
    from kwsd.training.workflows.run import Sources

    recipe = Recipe(
        BASELINE,
        epochs=epochs,
        seed=seed,
        augmentation=Augmentation.for_synthetic_voices(),
        teaching=Teaching.for_synthetic_voices(),
    )
    folder = work or out.with_suffix(".speech")
    NewFolder().check(folder)
    with drawn() as progress:
        train_from_text(
            keyword,
            Speech(folder, count, near_misses, sentences, kokoro),
            recipe,
            Output(out, resume=resume, command=command_line()),
            data=data,
            sources=Sources(noise, speech, hard, unseen),
            fa_per_hour=fa_per_hour,
            jobs=jobs,
            progress=progress,
        )
        progress.note(f"try it: kwsd listen --model {out}")
