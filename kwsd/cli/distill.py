"""``kwsd distill``: trains a small model on large ones, or searches for the best way to do so."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Picture, Text, TrainedOutput
from kwsd.cli.extras import needs_torch
from kwsd.cli.ignored import refuse_ignored
from kwsd.cli.number import Number
from kwsd.cli.options import (
    DATA,
    EPOCHS,
    HARD,
    NOISE,
    RECORD,
    RESUME,
    SEED,
    SIZE,
    SPEECH,
    TEACHERS,
    WINDOW,
    output_of,
)
from kwsd.cli.progress import drawn
from kwsd.errors import UsageError
from kwsd.runtime.model import STUDENT, Architecture

PAIR = (click.IntRange(1, 40), click.IntRange(1, 1_000))  # mel bands, frames


@click.command(name="distill", cls=CheckedCommand)
@TEACHERS
@DATA
@click.option("--out", type=TrainedOutput(), help="Model file to write.")
@click.option(
    "--temperature",
    type=Number(0.1, 100),
    default=4.0,
    show_default=True,
    help="Softens the teachers' posteriors.",
)
@click.option(
    "--alpha",
    type=Number(0, 1),
    default=0.5,
    show_default=True,
    help="Weight of the loss against the teachers' posteriors. The loss against the labels has 1 - alpha.",
)
@click.option(
    "--attention",
    type=Number(0, 1_000),
    default=0.0,
    show_default=True,
    help="Weight of the loss against the teachers' attention.",
)
@click.option(
    "--channels", type=SIZE, default=STUDENT.channels, show_default=True, help="Channels of the convolution."
)
@click.option(
    "--kernel",
    type=PAIR,
    default=STUDENT.kernel,
    show_default=True,
    help="Kernel of the convolution, in mel bands and frames.",
)
@click.option(
    "--stride",
    type=PAIR,
    default=STUDENT.stride,
    show_default=True,
    help="Stride of the convolution, in mel bands and frames.",
)
@click.option(
    "--hidden", type=SIZE, default=STUDENT.hidden, show_default=True, help="Units of each GRU layer."
)
@click.option("--window", type=WINDOW, default=20, show_default=True, help="Steps that the attention sees.")
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=EPOCHS, default=80, show_default=True, help="Epochs of training.")
@SEED
@RESUME
@RECORD
@click.option("--grid", is_flag=True, help="Try temperatures and alphas instead of training one model.")
@click.option(
    "--search", is_flag=True, help="With --grid: try channels, kernels, strides and hidden sizes as well."
)
@click.option(
    "--trials",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Number of trials of the grid or search, including those already done.",
)
@click.option(
    "--storage",
    type=Text(),
    default="distill.journal",
    show_default=True,
    help="Where trials are stored: a file or a database URL, which several processes or machines can share.",
)
@click.option(
    "--plot", type=Picture(), help="Draw the heat map of the grid, or the models of the search, to this file."
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
    """Trains a student on its teachers' posteriors and attention, and on the labels."""
    needs_torch()
    from kwsd.training.fit.losses import DistillationLoss
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.workflows.distill import Search, distill
    from kwsd.training.workflows.distill import search as search_for
    from kwsd.training.workflows.run import Sources

    check_options(out, grid, search)
    architecture = Architecture(channels, kernel, stride, hidden)
    recipe = Recipe(architecture, window=window, epochs=epochs, seed=seed)
    sources = Sources(noise, speech, hard)
    with drawn() as progress:
        if grid:
            plan = Search(storage, trials, search, record, plot)
            search_for(teacher, data, recipe, plan, sources, progress)
        else:
            assert out is not None
            output = output_of(out, record, resume)
            loss = DistillationLoss(temperature, alpha, attention)
            distill(teacher, data, recipe, output, loss, sources, progress)


def check_options(out: Path | None, grid: bool, search: bool) -> None:
    """Raise UsageError for options that cannot be combined."""
    if out is None and not grid:
        raise UsageError("give --out for the model to write, or --grid to search")
    if not grid:
        refuse_ignored("needs --grid", "search", "trials", "storage", "plot")
    else:
        refuse_ignored("cannot be used with --grid", "out", "resume", "temperature", "alpha", "attention")
    if search:
        refuse_ignored("cannot be used with --search", "channels", "kernel", "stride", "hidden", "window")
