"""``kwsd train``: a model for a keyword from a Speech Commands tree."""

from pathlib import Path

import click

from kwsd.cli.workshop import (
    DATA,
    HARD,
    NOISE,
    OUT,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    download_with_progress,
    needs_torch,
    train_and_ship,
)


@click.command(name="train")
@DATA
@click.option("--keyword", default="happy", show_default=True, help="The word: a folder of the tree.")
@OUT
@click.option("--student", is_flag=True, help="The small architecture (6,967 parameters).")
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True)
@SEED
@RESUME
@RECORD
@click.option("--download", is_flag=True, help="Fetch the Speech Commands archive (1.5 GB) into DATA first.")
def command(
    data: Path,
    keyword: str,
    out: Path,
    student: bool,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    seed: int,
    resume: bool,
    record: Path | None,
    download: bool,
) -> None:
    """Train a model and write it with a card (OUT with .md) that says what it is and how good."""
    needs_torch()
    from kwsd.runtime.model import BASELINE, STUDENT
    from kwsd.training.pool import ScenePool
    from kwsd.training.recordings import Recordings
    from kwsd.training.train import Recipe, Trainer

    if download and not data.exists():
        download_with_progress(data)
    out.parent.mkdir(parents=True, exist_ok=True)
    recordings = Recordings.read(data, keyword, noise, speech, hard)
    recipe = Recipe(STUDENT if student else BASELINE, epochs=epochs, seed=seed)
    pool = ScenePool(recordings.scenes(), seed)
    trainer = Trainer(recipe, pool, recordings.validation(), out.with_suffix(".ckpt"))
    train_and_ship(trainer, recordings, out, "train", record=record, resume=resume)
