"""``kwsd train``: a model for a keyword from a Speech Commands tree."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, CheckedPath, Folder, Text
from kwsd.cli.workshop import (
    EPOCHS,
    FA_PER_HOUR,
    HARD,
    NOISE,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    TRAINED,
    UNSEEN,
    check_recordings,
    check_room,
    choosing,
    download_with_progress,
    needs_teacher,
    needs_torch,
    train_and_ship,
    trainer_with_teacher,
)
from kwsd.errors import UsageError


@click.command(name="train", cls=CheckedCommand)
@click.option(
    "--data", type=CheckedPath(), required=True, help="Speech Commands tree, as the archive unpacks."
)
@click.option(
    "--keyword", type=Text(), default="happy", show_default=True, help="The word: a folder of the tree."
)
@TRAINED
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
@click.option("--epochs", type=EPOCHS, default=60, show_default=True)
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
    if unseen and not (embedding and verifier):
        raise UsageError("--unseen is for the threshold of a verified model: give --embedding, too")
    if embedding:
        needs_teacher()
        if verifier and not speech:
            raise UsageError(
                "a verified model's threshold is chosen on running speech: give --speech or --no-verifier"
            )
    from kwsd.runtime.model import BASELINE, STUDENT, check_keyword
    from kwsd.training.augment.pool import ScenePool
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.fit.recipe import Recipe, Teaching
    from kwsd.training.fit.trainer import Trainer, read_checkpoint

    check_keyword(keyword)
    teaching = None
    if embedding:
        teaching = Teaching() if verifier else Teaching.without_second_stage()
    recipe = Recipe(STUDENT if student else BASELINE, epochs=epochs, seed=seed, teaching=teaching)
    if resume:
        read_checkpoint(out.with_suffix(".ckpt"), recipe)
    check_room(out, recipe.architecture, embedding)
    if download and not data.exists():
        download_with_progress(data)
    Folder().check(data)
    recordings = Recordings.read(data, keyword, noise, speech, hard)
    check_recordings(recordings)
    if embedding:
        trainer = trainer_with_teacher(recordings, recipe, out)
    else:
        pool = ScenePool(recordings.scenes(recipe.augmentation), seed)
        trainer = Trainer(recipe, pool, recordings.validation(), out.with_suffix(".ckpt"))
    choose = None
    if teaching and teaching.second_stage:
        choose = choosing(recordings, unseen, teaching.snr, FA_PER_HOUR, jobs=1)
    train_and_ship(trainer, recordings, out, "train", None, record, resume, choose)
