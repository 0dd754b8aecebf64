"""``kwsd evaluate``: measures a model on clips or streams that it was not trained on."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kwsd.cli import streams
from kwsd.cli.checked import CheckedCommand, Folder, Picture
from kwsd.cli.extras import needs_torch
from kwsd.cli.ignored import refuse_ignored
from kwsd.cli.number import POSTERIOR
from kwsd.cli.options import STEP, WINDOW
from kwsd.cli.parallel import Workers, parallel_options
from kwsd.cli.progress import drawn
from kwsd.cli.renamed import current_name
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

ONLY_STREAMS = (
    *("positives", "negatives", "fluent", "noise", "snr", "rir"),
    *("patience", "candidate_threshold", "jobs", "backend", "address"),
)


@click.command(name="evaluate", cls=CheckedCommand, context_settings={"token_normalize_func": current_name})
@streams.MODEL
@click.option("--data", type=Folder(), help="Speech Commands folder, to evaluate the model on its clips.")
@streams.POSITIVES
@streams.NEGATIVES
@click.option(
    "--split",
    type=click.Choice(["validation", "dev-test", "testing"]),
    help="Use only clips and recordings of this split.  [default: dev-test for --data, else all]",
)
@click.option(
    "--fluent",
    is_flag=True,
    help="Say the keyword within the other speech, without a pause.  [default: after it, before silence]",
)
@streams.NOISE
@streams.SNR
@streams.RIR
@click.option("--window", type=WINDOW, help="Steps that the attention sees.  [default: the model's]")
@click.option("--step", type=STEP, help="Frames of 10 ms from one step to the next.  [default: the model's]")
@click.option(
    "--patience",
    type=click.IntRange(1, 10_000),
    help="Consecutive steps at or above the threshold that the first stage needs.  [default: the model's]",
)
@click.option(
    "--candidate-threshold",
    type=POSTERIOR,
    help="Posterior of the first stage that the second stage then verifies.  [default: the model's]",
)
@parallel_options()
@click.option(
    "--worst",
    type=click.IntRange(1, 1_000_000),
    help="With --data: also list this many clips of the keyword that score worst.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=Picture(), help="Draw the curve to this file (.png, .svg, .pdf).")
def command(
    model: str,
    data: Path | None,
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None,
    fluent: bool,
    noise: tuple[Path, ...],
    snr: float | None,
    rir: tuple[Path, ...],
    window: int | None,
    step: int | None,
    patience: int | None,
    candidate_threshold: float | None,
    workers: Workers,
    worst: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Give --data for clips, or --positives and --negatives for streams.

    Clips get the score that `kwsd listen --input CLIP` computes. Streams go through the detector of `kwsd
    listen`: recordings of the keyword, and hours of recordings without it.
    """
    if data:
        refuse_ignored("cannot be used with --data", *ONLY_STREAMS)
        _on_clips(model, data, split or "dev-test", (window, step), worst, as_json, plot)
        return
    if not (positives and negatives):
        raise UsageError("give --data, or both --positives and --negatives")
    refuse_ignored("needs --data", "worst")
    if split == "testing":
        raise UsageError("only the words of Speech Commands have a testing split; give --split dev-test")
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.workflows.streams import evaluate_streams, read_stream_folders

    loaded = read_model(find_model(model))
    changes = {"window": window, "step": step, "patience": patience}
    settings = loaded.settings.override(**changes, candidate_threshold=candidate_threshold)
    with drawn() as progress, workers as jobs:
        conditions = streams.conditions(noise, snr, rir)
        found = read_stream_folders(positives, negatives, split, conditions, progress, fluent)
        points = evaluate_streams(loaded, found, settings, jobs, progress)
    curve = [point.record() for point in points]
    if plot:
        from kwsd.training.report.plots import curve_plot

        curve_plot({model: curve}, plot)
    if as_json:
        names = (*changes, "candidate_threshold")
        used = {name: getattr(settings, name) for name in names}
        click.echo(json.dumps({"model": model, **used, "curve": curve}))
    else:
        streams.table(points)


def _on_clips(
    model: str,
    data: Path,
    split: str,
    window_and_step: tuple[int | None, int | None],
    worst: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    needs_torch()
    from kwsd.training.workflows.clips import evaluate_clips

    with drawn() as progress:
        found = evaluate_clips(model, data, split, *window_and_step, worst, progress)
    if plot:
        from kwsd.training.report.plots import det_plot

        det_plot({model: found.scores}, plot)
    if as_json:
        used = {"model": model, "split": split, "window": found.window, "step": found.step}
        click.echo(json.dumps({**used, **found.metrics}))
    else:
        from rich.console import Console

        Console().print(_table(f"{model}, {split}", found.metrics))


def _table(title: str, metrics: dict[str, Any]) -> "Table":
    """A table of the metrics of clips."""
    from rich.table import Table

    from kwsd.training.release.card import interval

    table = Table("", title)
    table.add_row("clips with the keyword + others", "{} + {}".format(*metrics["clips"]))
    table.add_row("1 - AUROC (bootstrap 95 %)", f"{metrics['one_minus_auroc']:.2e} ({interval(metrics)})")
    table.add_row("au_fa_fr at these clips' balance", f"{metrics['au_fa_fr']:.2e}")
    table.add_row("au_fa_fr at 1,734 of 64,721", f"{metrics['au_fa_fr_speech_commands']:.2e}")
    table.add_row("FRR at FA 1 %", f"{metrics['frr_at_fa_1_percent']:.2%}")
    table.add_row("FRR at FA 0.1 %", f"{metrics['frr_at_fa_0.1_percent']:.2%}")
    if worst := metrics.get("worst"):
        table.add_row(f"1 - AUROC without {len(worst)} clips", f"{metrics['one_minus_auroc_without']:.2e}")
        for clip, share in worst.items():
            table.add_row(f"  {clip}", f"{share:.1%} of the others score higher")
    return table
