"""``kwsd evaluate``: how well a model tells the keyword from other words, on clips it was not trained on."""

import json
from pathlib import Path

import click
from rich.table import Table

from kwsd.cli.workshop import DATA, PATH, console, load_crnn, needs_torch


@click.command(name="evaluate")
@click.option("--model", required=True, help="Model file, or the name of a shipped model.")
@DATA
@click.option(
    "--split",
    type=click.Choice(["validation", "dev-test", "testing"]),
    default="dev-test",
    show_default=True,
    help="Whose clips: by speaker, no speaker is in two. dev-test is cut from the training speakers.",
)
@click.option(
    "--window", type=click.IntRange(1), help="Steps the attention sees; the model's own by default."
)
@click.option("--step", type=click.IntRange(1), help="Frames between two steps; the model's own by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plot", type=PATH, help="Draw the detection error trade-off to this file.")
def command(
    model: str,
    data: Path,
    split: str,
    window: int | None,
    step: int | None,
    as_json: bool,
    plot: Path | None,
) -> None:
    """Score a split's clips as `kwsd listen` would hear them, and print the metrics."""
    needs_torch()
    from kwsd.training.recordings import Recordings
    from kwsd.training.ship import clip_metrics, split_scores

    crnn, read = load_crnn(model)
    window, step = window or read.settings.window, step or read.settings.step
    scores = split_scores(crnn, Recordings.read(data, read.keyword, (), ()), split, window, step)
    metrics = clip_metrics(*scores)
    if plot:
        from kwsd.training.plots import det_plot

        det_plot({model: scores}, plot)
    if as_json:
        click.echo(json.dumps({"model": model, "split": split, "window": window, "step": step, **metrics}))
        return
    low, high = metrics["one_minus_auroc_95"]
    table = Table("", f"{model}, {split}")
    table.add_row("clips with the keyword + others", "{} + {}".format(*metrics["clips"]))
    table.add_row("1 - AUROC (bootstrap 95 %)", f"{metrics['one_minus_auroc']:.2e} ({low:.1e} to {high:.1e})")
    table.add_row("au_fa_fr at these clips' balance", f"{metrics['au_fa_fr']:.2e}")
    table.add_row("au_fa_fr at 1,734 of 64,721", f"{metrics['au_fa_fr_speech_commands']:.2e}")
    table.add_row("FRR at FA 1 %", f"{metrics['frr_at_fa_1_percent']:.2%}")
    table.add_row("FRR at FA 0.1 %", f"{metrics['frr_at_fa_0.1_percent']:.2%}")
    console.print(table)
