"""``kwsd train``: a model for a keyword from a Speech Commands tree."""

from pathlib import Path

import click

from kwsd.cli.workshop import (
    DATA,
    FA_PER_HOUR,
    HARD,
    NOISE,
    OUT,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    UNSEEN,
    choosing,
    download_with_progress,
    needs_teacher,
    needs_torch,
    taught,
    teacher_details,
    train_and_ship,
)
from kwsd.errors import UsageError


@click.command(name="train")
@DATA
@click.option("--keyword", default="happy", show_default=True, help="The word: a folder of the tree.")
@OUT
@click.option("--student", is_flag=True, help="The small architecture (6,967 parameters).")
@NOISE
@SPEECH
@UNSEEN
@HARD
@click.option("--embedding", is_flag=True, help="Learn from Google's speech embedding, too (needs [synth]).")
@click.option(
    "--verifier/--no-verifier",
    default=True,
    show_default=True,
    help="With --embedding: keep it in the model, to verify what the network takes for the word.",
)
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
    """Beside OUT lies a card (OUT with .md) that says what it is and how good."""
    needs_torch()
    if embedding:
        needs_teacher()
        if verifier and not speech:
            raise UsageError(
                "a verified model's threshold is chosen on running speech: give --speech or --no-verifier"
            )
    from kwsd.runtime.model import BASELINE, STUDENT
    from kwsd.training.pool import ScenePool
    from kwsd.training.recordings import Recordings
    from kwsd.training.train import Recipe, Trainer

    if download and not data.exists():
        download_with_progress(data)
    out.parent.mkdir(parents=True, exist_ok=True)
    recordings = Recordings.read(data, keyword, noise, speech, hard)
    recipe = Recipe(STUDENT if student else BASELINE, epochs=epochs, seed=seed)
    if embedding:
        trainer = taught(recordings, recipe, out, verifier)
        details = teacher_details(recordings, recipe, verifier)
    else:
        pool, details = ScenePool(recordings.scenes(), seed), {}
        trainer = Trainer(recipe, pool, recordings.validation(), out.with_suffix(".ckpt"))
    choose = choosing(recordings, unseen, FA_PER_HOUR, jobs=1) if embedding and verifier else None
    train_and_ship(trainer, recordings, out, "train", details, record, resume, choose)
