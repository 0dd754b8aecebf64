"""``kwsd mine``: collects hard negatives, which a model mistakes for its keyword."""

from pathlib import Path

import click

from kwsd.cli import streams
from kwsd.cli.checked import CheckedCommand, Folder, NewFolder
from kwsd.cli.number import POSTERIOR
from kwsd.cli.parallel import Workers, parallel_options
from kwsd.cli.progress import drawn


@click.command(name="mine", cls=CheckedCommand)
@streams.MODEL
@click.option(
    "--negatives",
    type=Folder(),
    multiple=True,
    required=True,
    help="Folder of recordings without the keyword. Repeatable.",
)
@click.option(
    "--out",
    type=NewFolder(),
    required=True,
    help="Folder to write the clips to, for the option --hard of kwsd train.",
)
@click.option(
    "--threshold",
    type=POSTERIOR,
    default=0.3,
    show_default=True,
    help="Posterior that makes a false alarm. Lower than the model's own, to keep near misses as well.",
)
@streams.NOISE
@streams.SNR
@parallel_options()
def command(
    model: str,
    negatives: tuple[Path, ...],
    out: Path,
    threshold: float,
    noise: tuple[Path, ...],
    snr: float | None,
    workers: Workers,
) -> None:
    """Saves a clip of 2.5 s around each false alarm in the training split of the folders.

    No recording may contain the keyword, because training teaches a model to reject these clips.
    """
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.workflows.mine import mine_folders

    loaded = read_model(find_model(model))
    with drawn() as progress, workers as jobs:
        conditions = streams.conditions(noise, snr)
        counts = mine_folders(loaded, negatives, out, threshold, conditions, jobs, progress)
        progress.note(f"{sum(counts)} false alarms in {len(counts)} files, saved to {out}")
