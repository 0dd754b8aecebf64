"""``kwsd new``: a model for a keyword that nobody recorded, from its text alone."""

import shutil
from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Folder, NewFolder, Text
from kwsd.cli.synthesize import COUNT, JOBS, KOKORO, speak
from kwsd.cli.workshop import (
    EPOCHS,
    FA_PER_HOUR,
    FALSE_ALARMS,
    HARD,
    NOISE,
    RESUME,
    SEED,
    SPEECH,
    TRAINED,
    UNSEEN,
    check_recordings,
    check_room,
    choosing,
    console,
    filling,
    needs_teacher,
    needs_torch,
    tell,
    train_and_ship,
    trainer_with_teacher,
)

AT_LEAST_ONE = click.IntRange(1, COUNT.max)


@click.command(name="new", cls=CheckedCommand)
@click.argument("keyword", type=Text())
@TRAINED
@click.option(
    "--work", type=NewFolder(), help="Folder for the synthesized speech, kept.  [default: OUT.speech]"
)
@KOKORO
@click.option("--count", type=AT_LEAST_ONE, default=900, show_default=True, help="Clips of the keyword.")
@click.option("--near-misses", type=AT_LEAST_ONE, default=500, show_default=True, help="Clips like it.")
@click.option("--sentences", type=AT_LEAST_ONE, default=60, show_default=True, help="Clips without it.")
@click.option("--data", type=Folder(), help="Speech Commands tree, for words that are not the keyword.")
@NOISE
@SPEECH
@UNSEEN
@HARD
@click.option("--epochs", type=EPOCHS, default=40, show_default=True)
@click.option(
    "--fa-per-hour",
    type=FALSE_ALARMS,
    default=FA_PER_HOUR,
    show_default=True,
    help="False alarms that you can live with: sets the threshold.",
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
    jobs: int,
    seed: int,
    resume: bool,
) -> None:
    """KEYWORD is spoken in many voices, the model is trained on that, and its threshold chosen.

    It trains twice: what the first model takes for the keyword in the speech, the second learns to refuse.
    """
    needs_torch()
    needs_teacher()  # before anything is spoken, which takes a while
    from kwsd.runtime.model import BASELINE, check_keyword
    from kwsd.runtime.modelfile import read_model
    from kwsd.training.augment import voice
    from kwsd.training.augment.augmentation import Augmentation
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.data.speech_commands import files_of
    from kwsd.training.evaluate.mining import mine
    from kwsd.training.evaluate.streams import run_conditions
    from kwsd.training.fit.recipe import Recipe, Teaching
    from kwsd.training.fit.trainer import read_checkpoint

    if not voice.available():
        tell("praat-parselmouth is not installed: trained on fewer voices")
    check_keyword(keyword)
    teaching, augmentation = Teaching.for_synthetic_voices(), Augmentation.for_synthetic_voices()
    recipe = Recipe(BASELINE, epochs=epochs, seed=seed, augmentation=augmentation, teaching=teaching)
    folder = work or out.with_suffix(".speech")
    first, mined = folder / "first.pt", folder / "mined"
    NewFolder().check(folder)
    check_room(out, BASELINE, taught=True)
    for checkpoint in (first.with_suffix(".ckpt"), out.with_suffix(".ckpt")):
        if resume and checkpoint.exists():
            read_checkpoint(checkpoint, recipe)
    counts = {"keyword": count, "near_misses": near_misses, "sentences": sentences}
    speak(keyword, folder, counts, kokoro, jobs, seed)
    recordings = Recordings.spoken(folder, keyword, data, noise, speech, hard, augmentation.nearest_phonemes)
    check_recordings(recordings)
    if not (resume and first.exists()):
        again = resume and first.with_suffix(".ckpt").exists()
        trainer = trainer_with_teacher(recordings, recipe, first)
        train_and_ship(trainer, recordings, first, "new", resume=again)
        shutil.rmtree(mined, ignore_errors=True)  # what another model was wrong about
    files = [path for each in recordings.speech for path in files_of(each, "training")]
    with filling(mined), console.status("looking for what the first model takes for the keyword"):
        for conditions in run_conditions(recordings, "training", teaching.snr):
            mine(read_model(first), files, mined, teaching.mined_from, lambda *_: None, conditions)
    recordings = Recordings.spoken(
        folder, keyword, data, noise, speech, (*hard, mined), augmentation.nearest_phonemes
    )
    check_recordings(recordings)

    again = resume and out.with_suffix(".ckpt").exists()
    trainer = trainer_with_teacher(recordings, recipe, out)
    train_and_ship(
        trainer,
        recordings,
        out,
        "new",
        resume=again,
        choose=choosing(recordings, unseen, teaching.snr, fa_per_hour, jobs),
    )
    tell(f"now: kwsd listen --model {out}")
