"""``kwsd prune``: makes a model smaller, in rounds of pruning and distillation."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand
from kwsd.cli.extras import needs_torch
from kwsd.cli.options import (
    DATA,
    EPOCHS,
    HARD,
    MODEL,
    NOISE,
    OUT,
    RECORD,
    SEED,
    SIZE,
    SPEECH,
    TEACHERS,
    output_of,
)
from kwsd.cli.progress import drawn
from kwsd.runtime.model import STUDENT


@click.command(name="prune", cls=CheckedCommand)
@click.option(
    "--model", type=MODEL, required=True, help="Model to prune: a file, or the name of a shipped one."
)
@TEACHERS
@DATA
@OUT
@click.option("--channels", type=SIZE, required=True, help="Convolution channels to end with.")
@click.option("--hidden", type=SIZE, required=True, help="Units of each GRU layer to end with.")
@click.option(
    "--rounds", type=click.IntRange(1, 1_000), default=4, show_default=True, help="Rounds of pruning."
)
@NOISE
@SPEECH
@HARD
@click.option(
    "--epochs", type=EPOCHS, default=10, show_default=True, help="Epochs of distillation between two rounds."
)
@click.option(
    "--last-epochs",
    type=EPOCHS,
    default=40,
    show_default=True,
    help="Epochs of distillation after the last round.",
)
@SEED
@RECORD
def command(
    model: str,
    teacher: tuple[str, ...],
    data: Path,
    out: Path,
    channels: int,
    hidden: int,
    rounds: int,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    last_epochs: int,
    seed: int,
    record: Path | None,
) -> None:
    """Removes convolution channels, GRU units and attention keys in rounds, with distillation in between."""
    needs_torch()
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.workflows.compress import PRUNING_RATE, Pruning, prune
    from kwsd.training.workflows.run import Sources

    plan = Pruning(channels, hidden, rounds, epochs, last_epochs)
    recipe = Recipe(STUDENT, seed=seed, learning_rate=PRUNING_RATE)
    output = output_of(out, record)
    with drawn() as progress:
        prune(model, teacher, data, plan, recipe, output, Sources(noise, speech, hard), progress)
