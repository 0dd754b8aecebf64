"""``kwsd new``: a model for a keyword that nobody recorded, from its text alone."""

from pathlib import Path

import click

from kwsd.cli.number import Number
from kwsd.cli.synthesize import JOBS, KOKORO, speak
from kwsd.cli.workshop import (
    HARD,
    NOISE,
    OUT,
    PATH,
    RESUME,
    SEED,
    SPEECH,
    console,
    needs_torch,
    train_and_ship,
)


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
@HARD
@click.option("--epochs", type=click.IntRange(1), default=40, show_default=True)
@click.option(
    "--fa-per-hour",
    type=Number(min=0),
    default=0.5,
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
    hard: tuple[Path, ...],
    epochs: int,
    fa_per_hour: float,
    jobs: int,
    seed: int,
    resume: bool,
) -> None:
    """Train a model for KEYWORD: speak it in many voices, train on that, choose the threshold."""
    needs_torch()
    from kwsd.runtime.model import BASELINE
    from kwsd.runtime.modelfile import read_model
    from kwsd.training.field import streams_of
    from kwsd.training.pool import ScenePool
    from kwsd.training.recordings import Recordings
    from kwsd.training.train import Recipe, Trainer
    from kwsd.training.tuning import tune, write_settings

    folder = work or out.with_suffix(".speech")
    counts = {"keyword": count, "near_misses": near_misses, "sentences": sentences}
    speak(keyword, folder, counts, kokoro, jobs, seed)
    recordings = Recordings.spoken(folder, keyword, data, noise, speech, hard)
    recipe = Recipe(BASELINE, epochs=epochs, seed=seed)
    pool = ScenePool(recordings.scenes(), seed)
    trainer = Trainer(recipe, pool, recordings.validation(), out.with_suffix(".ckpt"))
    train_and_ship(trainer, recordings, out, "new", resume=resume)
    positives, negatives = streams_of(recordings, "validation", snr=10)
    settings, point = tune(read_model(out), positives, negatives, fa_per_hour, jobs, lambda *_: None)
    write_settings(out, settings, out)
    console.print(
        f"{out}: threshold {settings.threshold:g}, patience {settings.patience}, window {settings.window}, "
        f"step {settings.step}; misses {point.frr:.1%} of validation voices at {point.fa_per_hour:.2f} FA/h"
    )
    console.print(f"now: kwsd listen --model {out}")
