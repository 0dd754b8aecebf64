"""``kwsd distill``: a small model that learns from large ones, and the search for the best way to."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from kwsd.cli.checked import CheckedCommand, Picture, Text, TrainedOutput
from kwsd.cli.number import Number
from kwsd.cli.workshop import (
    DATA,
    EPOCHS,
    HARD,
    MODEL,
    NOISE,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    WINDOW,
    check_recordings,
    check_room,
    load_crnn,
    needs_torch,
    on_interrupt,
    train_and_ship,
    trial_progress,
)
from kwsd.errors import UsageError
from kwsd.runtime.model import STUDENT, Architecture

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

PAIR = (click.IntRange(1, 40), click.IntRange(1, 1_000))  # mel bands, frames
SIZE = click.IntRange(1, 1_000)


@click.command(name="distill", cls=CheckedCommand)
@click.option(
    "--teacher", type=MODEL, multiple=True, required=True, help="Model to learn from; the mean of several."
)
@DATA
@click.option("--out", type=TrainedOutput(), help="Model file to write.")
@click.option(
    "--temperature",
    type=Number(0.1, 100),
    default=4.0,
    show_default=True,
    help="Softens the teacher's posteriors.",
)
@click.option(
    "--alpha",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    help="Weight of the soft loss; 1 - alpha of labels.",
)
@click.option(
    "--attention",
    type=Number(0, 1_000),
    default=0.0,
    show_default=True,
    help="Weight of the attention loss.",
)
@click.option("--channels", type=SIZE, default=STUDENT.channels, show_default=True)
@click.option("--kernel", type=PAIR, default=STUDENT.kernel, show_default=True, help="Bands, frames.")
@click.option("--stride", type=PAIR, default=STUDENT.stride, show_default=True, help="Bands, frames.")
@click.option("--hidden", type=SIZE, default=STUDENT.hidden, show_default=True)
@click.option("--window", type=WINDOW, default=20, show_default=True, help="Steps the attention sees.")
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=EPOCHS, default=80, show_default=True)
@SEED
@RESUME
@RECORD
@click.option("--grid", is_flag=True, help="Try temperatures and alphas instead of training one model.")
@click.option(
    "--search", is_flag=True, help="With --grid: try channels, kernels, strides and hidden sizes, too."
)
@click.option(
    "--trials",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Of the grid or search, those done included.",
)
@click.option(
    "--storage",
    type=Text(),
    default="distill.journal",
    show_default=True,
    help="Where the search is kept: a file, or a database URL for several machines. Processes share it.",
)
@click.option(
    "--plot", type=Picture(), help="Draw the grid's heat map, or the search's models, to this file."
)
def command(
    teacher: tuple[str, ...],
    data: Path,
    out: Path | None,
    temperature: float,
    alpha: float,
    attention: float,
    channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    hidden: int,
    window: int,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    seed: int,
    resume: bool,
    record: Path | None,
    grid: bool,
    search: bool,
    trials: int,
    storage: str,
    plot: Path | None,
) -> None:
    """The student learns from its teachers' posteriors and attention, and from the labels."""
    needs_torch()
    from kwsd.training.augment.pool import ScenePool, StillPool
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.fit.distillation import teacher_annotator
    from kwsd.training.fit.losses import DistillationLoss
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.fit.search import ALPHAS, TEMPERATURES, evaluator, finished, open_study, run_trial
    from kwsd.training.fit.trainer import Trainer, read_checkpoint
    from kwsd.training.release.runs import add_run
    from kwsd.training.report.plots import grid_plot, search_plot

    if not grid and out is None:
        raise UsageError("give --out for the model to write, or --grid to search")
    if search and not grid:
        raise UsageError("--search goes with --grid")
    if plot and not grid:
        raise UsageError("--plot goes with --grid")
    context = click.get_current_context()
    for name in ("out", "resume", "temperature", "alpha", "attention") if grid else ("trials", "storage"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} does not go with --grid" if grid else f"--{name} goes with --grid")
    architecture = Architecture(channels, kernel, stride, hidden)
    recipe = Recipe(architecture, window=window, epochs=epochs, seed=seed)
    loss = DistillationLoss(temperature, alpha, attention)
    if out:
        check_room(out, architecture)
        if resume:
            read_checkpoint(out.with_suffix(".ckpt"), recipe)
    loaded = [load_crnn(name) for name in teacher]
    crnns, first = [crnn for crnn, _ in loaded], loaded[0][1]
    if any((m.keyword, m.architecture) != (first.keyword, first.architecture) for _, m in loaded):
        raise UsageError("the teachers differ in keyword or architecture; give models of one kind")
    if grid:
        kind = "search" if search else "grid"
        study = open_study(storage, f"{first.keyword}-{kind}", search)
    recordings = Recordings.read(data, first.keyword, noise, speech, hard)
    check_recordings(recordings)
    annotator = teacher_annotator(crnns, first.settings.window)
    if not grid:
        assert out is not None
        pool = ScenePool(recordings.scenes(recipe.augmentation), seed, annotator)
        checkpoint = out.with_suffix(".ckpt")
        trainer = Trainer(recipe, pool, recordings.validation(), checkpoint, loss)
        details = {
            "temperature": temperature,
            "alpha": alpha,
            "attention": attention,
            "teachers": len(teacher),
        }
        train_and_ship(trainer, recordings, out, "distill", details, record, resume, heir_of=first)
        return
    pool = StillPool(recordings.scenes(recipe.augmentation), seed, annotator)
    evaluate = evaluator(recordings, pool, recipe)
    trials = trials if search else min(trials, len(TEMPERATURES) * len(ALPHAS))
    with (
        trial_progress(trials) as on_trial,
        on_interrupt(lambda: f"stopped; {storage} has the trials done: the same command goes on from there"),
    ):

        def report(_: object, trial: "FrozenTrial") -> None:
            on_trial(len(finished(study)), f"{trial.params}: {trial.values}")
            if record:
                facts = {"kind": kind, "seed": seed, "epochs": epochs, "teachers": len(teacher)}
                add_run(record, facts | {"params": trial.params, "values": trial.values})

        while len(finished(study)) < trials:
            study.optimize(
                lambda trial: run_trial(trial, architecture, window, evaluate), n_trials=1, callbacks=[report]
            )
    if plot:
        done = finished(study)
        if search:
            search_plot([(trial.values[0], trial.values[1]) for trial in done], plot)
        else:
            grid_plot([(t.params["temperature"], t.params["alpha"], t.values[0]) for t in done], plot)
