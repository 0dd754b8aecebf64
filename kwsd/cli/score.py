"""``kwsd score``: prints or draws the posterior of every step of a recording."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kwsd.cli.checked import CheckedCommand, ModelName, Picture
from kwsd.cli.number import POSTERIOR
from kwsd.cli.words import DEFAULT_WORD
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.runtime.spotter import Step

WINDOW, STEP = click.IntRange(1, 100_000), click.IntRange(1, 1_000)
FIELDS = ["stream_time", "posterior", "warm", "verified", "trigger"]


@click.command(name="score", cls=CheckedCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--model",
    "models",
    type=ModelName(),
    multiple=True,
    default=[DEFAULT_WORD],
    show_default=DEFAULT_WORD,
    help="Model file, or the name of a shipped model. Repeatable.",
)
@click.option("--window", type=WINDOW, help="Steps that the attention sees.  [default: the model's]")
@click.option("--step", type=STEP, help="Frames of 10 ms from one step to the next.  [default: the model's]")
@click.option("--channel", type=click.IntRange(min=1), help="Channel to use.  [default: the mean of all]")
@click.option("--threshold", type=POSTERIOR, help="Posterior that makes a trigger.  [default: the model's]")
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
    models: tuple[str, ...],
    window: int | None,
    step: int | None,
    channel: int | None,
    threshold: float | None,
    form: str | None,
    plot: Path | None,
    beside: tuple[tuple[int, int], ...],
) -> None:
    """Several FILEs are joined in order and scored as one recording.

    The column `verified` is the posterior of both stages, at steps where the second stage ran. Several words
    have columns and a line in the picture each, and a trigger names its word.
    """
    from kwsd.runtime.detector import Detector
    from kwsd.runtime.modelfile import read_models
    from kwsd.training.workflows.score import draw_scores, score

    if beside and plot is None:
        raise UsageError("--beside needs --plot")
    if beside and len(models) > 1:
        raise UsageError("--beside compares the settings of one word: give one --model")
    loaded = read_models(models)
    first, *others = (
        Detector(
            loaded, [one.settings.override(window=size, step=pace, threshold=threshold) for one in loaded]
        )
        for size, pace in ((window, step), *beside)
    )
    rows = Rows(form or "csv", first.keywords)
    if plot is None:
        for one in score(files, first, channel):
            rows.push(one)
    else:
        draw_scores(files, (first, *others), plot, channel, rows.push if form else lambda _: None)
    rows.finish()


class Rows:
    """Prints steps as lines of CSV or JSON, those of several words at the same time as one line."""

    def __init__(self, form: str, keywords: list[str]) -> None:
        self._several = len(keywords) > 1
        fields = [name for word in keywords for name in self._names(word)] if self._several else FIELDS[1:-1]
        self._table = csv.DictWriter(sys.stdout, ["stream_time", *fields, "trigger"], lineterminator="\n")
        self._csv = self._header = form == "csv"
        self._row: dict[str, Any] = {}

    @staticmethod
    def _names(keyword: str) -> tuple[str, ...]:
        """The columns of a word among several: its posterior, warm and verified."""
        return keyword, f"{keyword} warm", f"{keyword} verified"

    def push(self, step: "Step") -> None:
        """Add a step, the next one of its detector."""
        time = round(step.time, 3)
        if self._row and (not self._several or self._row["stream_time"] != time):
            self.finish()
        names = self._names(step.keyword) if self._several else FIELDS[1:-1]
        verified = None if step.verified is None else round(step.verified, 6)
        values = round(step.posterior, 6), step.warm, verified
        self._row |= {"stream_time": time} | dict(zip(names, values, strict=True))
        if not self._several:
            self._row["trigger"] = step.trigger is not None
        elif step.trigger:
            self._row["trigger"] = step.trigger.keyword

    def finish(self) -> None:
        """Print the line that is not yet complete."""
        if self._row and self._header:
            self._table.writeheader()
            self._header = False
        if self._row and self._csv:
            self._table.writerow(self._row)
        elif self._row:
            print(json.dumps(self._row))
        self._row = {}
