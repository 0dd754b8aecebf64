"""``kwsd train``: trains a model for a keyword on a Speech Commands folder."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand
from kwsd.cli.extras import needs_torch
from kwsd.cli.ignored import refuse_ignored
from kwsd.cli.options import (
    DOWNLOAD,
    EPOCHS,
    HARD,
    KEYWORD,
    NOISE,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    TRAINED,
    TREE,
    UNSEEN,
    output_of,
)
from kwsd.cli.progress import drawn


@click.command(name="train", cls=CheckedCommand)
@TREE
@KEYWORD
@TRAINED
@click.option("--student", is_flag=True, help="Train the small architecture (6,729 parameters).")
@NOISE
@SPEECH
@UNSEEN
@HARD
@click.option("--embedding", is_flag=True, help="Also learn from the speech embedding. Needs kwsd[synth].")
@click.option(
    "--verifier/--no-verifier",
    default=True,
    show_default=True,
    help="With --embedding: also store it in the model, as the second stage, which verifies candidates.",
)
@click.option("--epochs", type=EPOCHS, default=60, show_default=True, help="Epochs of training.")
@SEED
@RESUME
@RECORD
@DOWNLOAD
def command(
    data: Path,
    keyword: str,
    out: Path,
    student: bool,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    unseen: tuple[Path, ...],
    hard: tuple[Path, ...],
    embedding: bool,
    verifier: bool,
    epochs: int,
    seed: int,
    resume: bool,
    record: Path | None,
    download: bool,
) -> None:
    """Writes the model to OUT and its model card next to it, with the suffix .md."""
    needs_torch()
    from kwsd.runtime.model import BASELINE, STUDENT
    from kwsd.training.fit.recipe import Recipe, Teaching
    from kwsd.training.workflows.from_recordings import check_training, train
    from kwsd.training.workflows.run import Sources, get_tree

    teaching = None
    if not embedding:
        refuse_ignored("needs --embedding", "verifier")
    else:
        teaching = Teaching() if verifier else Teaching.without_second_stage()
    recipe = Recipe(STUDENT if student else BASELINE, epochs=epochs, seed=seed, teaching=teaching)
    output = output_of(out, record, resume)
    sources = Sources(noise, speech, hard, unseen)
    check_training(keyword, recipe, output, sources)
    with drawn() as progress:
        get_tree(data, download, progress)
        train(keyword, data, recipe, output, sources, progress)
