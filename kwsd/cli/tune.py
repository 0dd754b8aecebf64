"""``kwsd tune``: chooses the best settings of a model for your recordings."""

from pathlib import Path

import click

from kwsd.cli import streams
from kwsd.cli.checked import CheckedCommand, Output
from kwsd.cli.options import FALSE_ALARMS
from kwsd.cli.parallel import Workers, parallel_options
from kwsd.cli.progress import drawn


@click.command(name="tune", cls=CheckedCommand)
@streams.MODEL
@streams.POSITIVES
@streams.NEGATIVES
@click.option("--split", type=click.Choice(["validation"]), help="Use only the recordings of this split.")
@streams.NOISE
@streams.SNR
@click.option(
    "--fa-per-hour",
    type=FALSE_ALARMS,
    default=0.5,
    show_default=True,
    help="Acceptable false alarms per hour.",
)
@parallel_options()
@click.option("--out", type=Output(), required=True, help="Model file to write.")
def command(
    model: str,
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None,
    noise: tuple[Path, ...],
    snr: float | None,
    fa_per_hour: float,
    workers: Workers,
    out: Path,
) -> None:
    """Writes a copy of MODEL with the chosen settings to OUT.

    If MODEL has a second stage, only threshold and step are chosen. Its window and patience belong to the
    first stage, which must not miss the keyword.
    """
    from kwsd.training.evaluate.tuning import described
    from kwsd.training.workflows.streams import read_stream_folders
    from kwsd.training.workflows.tune import tune_model

    with drawn() as progress, workers as jobs:
        conditions = streams.conditions(noise, snr)
        found = read_stream_folders(positives, negatives, split, conditions, progress)
        settings, _ = tune_model(model, found, out, fa_per_hour, jobs, progress)
        progress.note(f"{out}: {described(settings)}")
