"""``kwsd tune``: choose how a model is run, on your own recordings."""

from pathlib import Path

import click

from kwsd.cli import streams
from kwsd.cli.checked import CheckedCommand, Output
from kwsd.cli.options import FALSE_ALARMS, MODEL
from kwsd.cli.parallel import parallel_options
from kwsd.cli.progress import tell
from kwsd.errors import KwsdError


@click.command(name="tune", cls=CheckedCommand)
@click.option("--model", type=MODEL, required=True, help="Model file, or the name of a shipped model.")
@streams.POSITIVES
@streams.NEGATIVES
@click.option(
    "--split", type=click.Choice(["validation"]), help="Only the validation side of shared recordings."
)
@streams.NOISE
@streams.SNR
@click.option(
    "--fa-per-hour",
    type=FALSE_ALARMS,
    default=0.5,
    show_default=True,
    help="False alarms that you can live with.",
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
    jobs: int | None,
    out: Path,
) -> None:
    """Writes them with the weights of MODEL into OUT.

    Of a model with a verifier, threshold and step: its window and patience are the first stage's, which has
    to miss nothing.
    """
    from kwsd.runtime.model import Settings
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.evaluate.curve import Point
    from kwsd.training.evaluate.tuning import allowed, settings_to_try, tune
    from kwsd.training.release.modelfile import write_settings

    path = find_model(model)
    heard = streams.read(positives, negatives, split, noise, snr, ())

    def report(settings: Settings, point: Point) -> None:
        tell(
            f"window {settings.window}, step {settings.step}, patience {settings.patience}, threshold "
            f"{settings.threshold:g}: FRR {point.frr:.1%} at {point.fa_per_hour:.2f} FA/h"
        )

    loaded = read_model(path)
    settings, point = tune(loaded, *heard, settings_to_try(loaded), fa_per_hour, jobs, report)
    if point.false_alarms > allowed(fa_per_hour, point.hours):
        raise KwsdError(
            f"no threshold hears the keyword at {fa_per_hour:g} false alarms an hour; "
            f"allow {point.fa_per_hour:.2g}, or train on negatives like these"
        )
    write_settings(path, settings, out)
    tell(f"{out}: {settings}")
