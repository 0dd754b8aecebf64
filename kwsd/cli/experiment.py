"""``kwsd experiment``: the whole experiment that this project began with, as one command."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, NewFolder
from kwsd.cli.extras import needs_torch
from kwsd.cli.options import DOWNLOAD, EPOCHS, KEYWORD, NOISE, SEED, SPEECH, TREE, command_line
from kwsd.cli.progress import drawn


@click.command(name="experiment", cls=CheckedCommand)
@TREE
@KEYWORD
@click.option(
    "--out",
    type=NewFolder(),
    default=Path("experiment"),
    show_default=True,
    help="Folder for the models, the recorded runs and the report.",
)
@NOISE
@SPEECH
@click.option(
    "--epochs", type=EPOCHS, default=60, show_default=True, help="Epochs of the teacher and of the student."
)
@click.option(
    "--grid-epochs", type=EPOCHS, default=10, show_default=True, help="Epochs of each student of the grid."
)
@click.option(
    "--trials",
    type=click.IntRange(1, 20),
    default=20,
    show_default=True,
    help="Students of the grid: pairs of temperature and alpha, of 20.",
)
@SEED
@DOWNLOAD
def command(
    data: Path,
    keyword: str,
    out: Path,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    epochs: int,
    grid_epochs: int,
    trials: int,
    seed: int,
    download: bool,
) -> None:
    """Trains a teacher, draws its posterior on a stream, distills it into a student with the best temperature
    and alpha of a grid, quantizes the student, and writes a report.

    After an interruption, the same command continues.
    """
    needs_torch()
    from kwsd.runtime.model import BASELINE, STUDENT, check_keyword
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.workflows.experiment import ExperimentPlan, experiment
    from kwsd.training.workflows.run import Sources, get_tree

    check_keyword(keyword)
    plan = ExperimentPlan(
        keyword,
        teacher=Recipe(BASELINE, epochs=epochs, seed=seed),
        student=Recipe(STUDENT, epochs=epochs, seed=seed),
        grid=Recipe(STUDENT, epochs=grid_epochs, seed=seed),
        trials=trials,
    )
    with drawn() as progress:
        get_tree(data, download, progress)
        report = experiment(data, out, plan, Sources(noise, speech), progress, command_line())
    click.echo(f"{report} was written")
