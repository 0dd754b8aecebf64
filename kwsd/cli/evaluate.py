"""``kwsd evaluate``: how well a model tells the keyword from all else, on what it was not trained on."""

import json
from pathlib import Path

import click
import numpy as np

from kwsd.cli import streams
from kwsd.cli.checked import CheckedCommand, Folder, Picture
from kwsd.cli.extras import needs_torch
from kwsd.cli.number import Number
from kwsd.cli.options import MODEL, STEP, WINDOW
from kwsd.cli.parallel import parallel_options
from kwsd.cli.progress import console, warn_of_recordings
from kwsd.cli.renamed import current_name
from kwsd.errors import UsageError


@click.command(name="evaluate", cls=CheckedCommand, context_settings={"token_normalize_func": current_name})
@click.option("--model", type=MODEL, required=True, help="Model file, or the name of a shipped model.")
@click.option("--data", type=Folder(), help="Speech Commands tree, to judge by its clips.")
@streams.POSITIVES
@streams.NEGATIVES
@click.option(
    "--split",
    type=click.Choice(["validation", "dev-test", "testing"]),
    help="Only the clips of these speakers (where clips name them), and the files of this side.  "
    "[default: dev-test for --data]",
)
@streams.NOISE
@streams.SNR
@streams.RIR
@click.option("--window", type=WINDOW, help="Steps the attention sees.  [default: the model's]")
@click.option("--step", type=STEP, help="Frames between two steps.  [default: the model's]")
@click.option(
    "--patience",
    type=click.IntRange(1, 10_000),
    help="Consecutive steps, of streams.  [default: the model's]",
)
@click.option(
    "--candidate-threshold",
    type=Number(0.001, 1),
    help="Posterior of the first stage that the second stage then verifies.  [default: the model's]",
)
@parallel_options()
@click.option("--worst", type=click.IntRange(1, 1_000_000), help="Of clips: name so many that cost the most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=Picture(), help="Draw the curve to this file.")
def command(
    model: str,
    data: Path | None,
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None,
    noise: tuple[Path, ...],
    snr: float | None,
    rir: tuple[Path, ...],
    window: int | None,
    step: int | None,
    patience: int | None,
    candidate_threshold: float | None,
    jobs: int | None,
    worst: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """By clips (--data) or by streams (--positives and --negatives).

    Clips are scored as `kwsd listen --input CLIP` hears them. Streams go through the detector of `kwsd
    listen`, triggers and all: the keyword in context, against hours without it.
    """
    if bool(data) == bool(positives and negatives):
        raise UsageError("give --data, or both --positives and --negatives")
    if data:
        if noise or rir or (snr, patience, candidate_threshold) != (None, None, None):
            raise UsageError(
                "--noise, --snr, --rir, --patience and --candidate-threshold go with --positives and "
                "--negatives, not --data"
            )
        _clips(model, data, split or "dev-test", window, step, worst, as_json, plot)
        return
    if worst:
        raise UsageError("--worst is for --data")
    from kwsd.runtime.modelfile import find_model, read_model

    heard = streams.read(positives, negatives, split, noise, snr, rir)
    loaded = read_model(find_model(model))
    settings = loaded.settings.override(
        window=window, step=step, patience=patience, candidate_threshold=candidate_threshold
    )
    points = streams.evaluate(loaded, heard, settings, jobs)
    curve = [point.record() for point in points]
    if plot:
        from kwsd.training.report.plots import field_plot

        field_plot({model: curve}, plot)
    if as_json:
        names = ("window", "step", "patience", "candidate_threshold")
        used = {name: getattr(settings, name) for name in names}
        click.echo(json.dumps({"model": model, **used, "curve": curve}))
    else:
        streams.table(points)


def _clips(
    model: str,
    data: Path,
    split: str,
    window: int | None,
    step: int | None,
    worst: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    from rich.table import Table

    needs_torch()
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.evaluate.metrics import clip_metrics, misranked
    from kwsd.training.fit.clip_scores import split_scores
    from kwsd.training.fit.recipe import check_window
    from kwsd.training.release.card import interval
    from kwsd.training.workflows.run import read_crnn

    crnn, read = read_crnn(model)
    window, step = window or read.settings.window, step or read.settings.step
    check_window(window, step)
    recordings = Recordings.read(data, read.keyword, (), ())
    try:
        recordings.check(split)
    finally:
        warn_of_recordings(recordings.reader)
    scores = split_scores(crnn, recordings, split, window, step)
    metrics = clip_metrics(*scores)
    if worst:
        shares = misranked(*scores)
        order = np.argsort(-shares)
        said, _ = recordings.words(split)
        if worst >= len(said):
            raise UsageError(f"--worst {worst}: there are {len(said)} clips of the keyword")
        metrics["worst"] = {str(said[i].path.relative_to(data)): shares[i] for i in order[:worst]}
        metrics["one_minus_auroc_without"] = shares[order[worst:]].mean()
    if plot:
        from kwsd.training.report.plots import det_plot

        det_plot({model: scores}, plot)
    if as_json:
        click.echo(json.dumps({"model": model, "split": split, "window": window, "step": step, **metrics}))
        return
    table = Table("", f"{model}, {split}")
    table.add_row("clips with the keyword + others", "{} + {}".format(*metrics["clips"]))
    table.add_row("1 - AUROC (bootstrap 95 %)", f"{metrics['one_minus_auroc']:.2e} ({interval(metrics)})")
    table.add_row("au_fa_fr at these clips' balance", f"{metrics['au_fa_fr']:.2e}")
    table.add_row("au_fa_fr at 1,734 of 64,721", f"{metrics['au_fa_fr_speech_commands']:.2e}")
    table.add_row("FRR at FA 1 %", f"{metrics['frr_at_fa_1_percent']:.2%}")
    table.add_row("FRR at FA 0.1 %", f"{metrics['frr_at_fa_0.1_percent']:.2%}")
    if worst:
        table.add_row(f"1 - AUROC without {worst} clips", f"{metrics['one_minus_auroc_without']:.2e}")
        for clip, share in metrics["worst"].items():
            table.add_row(f"  {clip}", f"{share:.1%} of the others score higher")
    console.print(table)
