"""``kwsd new``: a model for a keyword that nobody recorded, from its text alone."""

import shutil
from pathlib import Path

import click

from kwsd.cli.number import Number
from kwsd.cli.synthesize import JOBS, KOKORO, speak
from kwsd.cli.workshop import (
    FA_PER_HOUR,
    HARD,
    NOISE,
    OUT,
    PATH,
    RESUME,
    SEED,
    SNR,
    SPEECH,
    UNSEEN,
    choosing,
    console,
    needs_teacher,
    needs_torch,
    taught,
    teacher_details,
    train_and_ship,
)

MINE_FROM = 0.2  # posterior


@click.command(name="new")
@click.argument("keyword")
@OUT
@click.option("--work", type=PATH, help="Folder for the synthesized speech, kept.  [default: OUT.speech]")
@KOKORO
@click.option("--count", type=click.IntRange(1), default=900, show_default=True, help="Clips of the keyword.")
@click.option("--near-misses", type=click.IntRange(1), default=500, show_default=True, help="Clips like it.")
@click.option("--sentences", type=click.IntRange(1), default=60, show_default=True, help="Clips without it.")
@click.option("--data", type=PATH, help="Speech Commands tree, for words that are not the keyword.")
@NOISE
@SPEECH
@UNSEEN
@HARD
@click.option("--epochs", type=click.IntRange(1), default=40, show_default=True)
@click.option(
    "--fa-per-hour",
    type=Number(min=0),
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
    from kwsd.runtime.model import BASELINE
    from kwsd.runtime.modelfile import read_model
    from kwsd.training import revoice
    from kwsd.training.dataset import files_of
    from kwsd.training.field import conditions
    from kwsd.training.mining import mine
    from kwsd.training.recordings import Recordings
    from kwsd.training.train import Recipe

    if not revoice.available():
        console.print("praat-parselmouth is not installed: trained on fewer voices", soft_wrap=True)
    folder = work or out.with_suffix(".speech")
    counts = {"keyword": count, "near_misses": near_misses, "sentences": sentences}
    speak(keyword, folder, counts, kokoro, jobs, seed)
    recipe = Recipe(BASELINE, epochs=epochs, seed=seed)
    first, mined = folder / "first.pt", folder / "mined"
    recordings = Recordings.spoken(folder, keyword, data, noise, speech, hard)
    details = {**teacher_details(recordings, recipe), "mined_from": MINE_FROM, "mined_snr": SNR}
    if not (resume and first.exists()):
        again = resume and first.with_suffix(".ckpt").exists()
        train_and_ship(taught(recordings, recipe, first), recordings, first, "new", details, resume=again)
        shutil.rmtree(mined, ignore_errors=True)  # what another model was wrong about
    files = [path for each in recordings.speech for path in files_of(each, "training")]
    with console.status("looking for what the first model takes for the keyword"):
        for around in conditions(recordings, "training", SNR):
            mine(read_model(first), files, mined, MINE_FROM, lambda *_: None, around)
    recordings = Recordings.spoken(folder, keyword, data, noise, speech, (*hard, mined))

    again = resume and out.with_suffix(".ckpt").exists()
    trainer = taught(recordings, recipe, out)
    train_and_ship(
        trainer,
        recordings,
        out,
        "new",
        details,
        resume=again,
        choose=choosing(recordings, unseen, fa_per_hour, jobs),
    )
    console.print(f"now: kwsd listen --model {out}")
