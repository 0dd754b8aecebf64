"""``kwsd score``: prints or draws the posterior of every step of a recording."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import CheckedCommand, ModelName, Picture
from kwsd.cli.number import Number
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.runtime.spotter import Step

WINDOW, STEP = click.IntRange(1, 100_000), click.IntRange(1, 1_000)
FIELDS = ["stream_time", "posterior", "warm", "verified", "trigger"]


@click.command(name="score", cls=CheckedCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--model",
    type=ModelName(),
    default="happy",
    show_default=True,
    help="Model file, or the name of a shipped model.",
)
@click.option("--window", type=WINDOW, help="Steps that the attention sees.  [default: the model's]")
@click.option("--step", type=STEP, help="Frames of 10 ms from one step to the next.  [default: the model's]")
@click.option("--channel", type=click.IntRange(min=1), help="Channel to use.  [default: the mean of all]")
@click.option(
    "--threshold", type=Number(0.001, 1), help="Posterior that makes a trigger.  [default: the model's]"
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl"]),
    help="How steps are printed.  [default: csv; with --plot, they are not printed]",
)
@click.option("--plot", type=Picture(), help="Draw the posterior to this file (.png, .svg, .pdf).")
@click.option(
    "--beside",
    type=(WINDOW, STEP),
    multiple=True,
    metavar="WINDOW STEP",
    help="With --plot: also draw the posterior for this window and step. Repeatable.",
)
def command(
    files: tuple[Path, ...],
    model: str,
    window: int | None,
    step: int | None,
    channel: int | None,
    threshold: float | None,
    form: str | None,
    plot: Path | None,
    beside: tuple[tuple[int, int], ...],
) -> None:
    """Several FILEs are joined in order and scored as one recording.

    The column `verified` is the posterior of both stages, at steps where the second stage ran.
    """
    from kwsd.runtime.detector import Detector
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.workflows.score import draw_scores, score

    if beside and plot is None:
        raise UsageError("--beside needs --plot")
    loaded = read_model(find_model(model))
    first, *others = (
        Detector(loaded, loaded.settings.override(window=size, step=pace, threshold=threshold))
        for size, pace in ((window, step), *beside)
    )
    if plot is None:
        write = writer(form or "csv")
        for one in score(files, first, channel):
            write(one)
    else:
        draw_scores(files, (first, *others), plot, channel, writer(form) if form else lambda _: None)


def writer(form: str) -> "Callable[[Step], None]":
    """Returns a function that prints a step as a line of CSV, after a header, or of JSON."""
    table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    header = form == "csv"

    def write(step: "Step") -> None:
        nonlocal header
        row = {
            "stream_time": round(step.time, 3),
            "posterior": round(step.posterior, 6),
            "warm": step.warm,
            "verified": None if step.verified is None else round(step.verified, 6),
            "trigger": step.trigger is not None,
        }
        if header:
            table.writeheader()
            header = False
        if form == "csv":
            table.writerow(row)
        else:
            print(json.dumps(row))

    return write
