"""``kwsd score``: the posterior of every step of a recording, as text or as a picture."""

import csv
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import CheckedCommand, ModelName, Picture
from kwsd.cli.number import Number
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.pcm import Samples
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
    help="Model file, or name of a shipped model.",
)
@click.option("--window", type=WINDOW, help="Steps the attention sees.  [default: the model's]")
@click.option("--step", type=STEP, help="Frames of 10 ms between steps.  [default: the model's]")
@click.option("--channel", type=click.IntRange(min=1), help="Hear this channel only.  [default: the mean]")
@click.option("--threshold", type=Number(0.001, 1), help="Posterior that triggers.  [default: the model's]")
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]), help="[default: csv; nothing with --plot]"
)
@click.option("--plot", type=Picture(), help="Draw it to this file (.png, .svg, .pdf).")
@click.option(
    "--beside", type=(WINDOW, STEP), multiple=True, metavar="WINDOW STEP", help="Draw these, too. Repeatable."
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
    """Several FILEs are heard as one, joined in order.

    `verified` is the posterior of both stages, at the steps where the second stage ran.
    """
    from kwsd.audio.file import FileSource
    from kwsd.pcm import SAMPLE_RATE
    from kwsd.runtime.detector import Detector
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.report.outline import Outline

    if beside and plot is None:
        raise UsageError("--beside is drawn only: give --plot, too")
    loaded = read_model(find_model(model))
    for file in files:  # before the first row is printed
        with FileSource(file, channel):
            pass
    detectors = [
        Detector(loaded, loaded.settings.override(window=size, step=pace, threshold=threshold))
        for size, pace in ((window, step), *beside)
    ]
    for detector in detectors:
        detector.warm_up()
    write = None if plot is not None and form is None else writer(form or "csv")
    drawn: list[list[Step]] = [[] for _ in detectors]
    starts: list[int] = []
    outline, heard = Outline(), 0
    for number, chunk in hear(files, channel):
        if number == len(starts):
            starts.append(heard)
        heard += len(chunk)
        for detector, steps in zip(detectors, drawn, strict=True):
            for one in detector.steps(chunk):
                if write is not None and detector is detectors[0]:
                    write(one)
                if plot is not None:
                    steps.append(one)
        if plot is not None:
            outline.push(chunk)
    if plot is not None:
        from kwsd.training.report.timeline import Track, draw_timeline

        names = (file.parent.name or file.stem for file in files)
        words = [(at / SAMPLE_RATE, name) for at, name in zip(starts, names, strict=True)]
        named = "candidate threshold" if loaded.verifier else "threshold"
        tracks = [
            Track(
                f"window {one.settings.window}, step {one.settings.step}",
                one.first_stage_threshold,
                named,
                steps,
            )
            for one, steps in zip(detectors, drawn, strict=True)
        ]
        draw_timeline(outline.values, heard / SAMPLE_RATE, words, tracks, plot)


def hear(files: tuple[Path, ...], channel: int | None) -> "Iterator[tuple[int, Samples]]":
    """The audio of files, one after the other, and the silence in which the last word is decided.

    Each chunk comes with its file's number, from 0. Raises UsageError or AudioError as FileSource does.
    """
    import numpy as np

    from kwsd.audio.file import FileSource
    from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES

    for number, file in enumerate(files):
        with FileSource(file, channel) as source:
            for chunk in source:
                yield number, chunk.samples
    yield number, np.zeros(FINAL_SILENCE_SAMPLES, np.float32)


def writer(form: str) -> "Callable[[Step], None]":
    """Prints a step as a line of CSV or JSON."""
    table = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
    if form == "csv":
        table.writeheader()

    def write(step: "Step") -> None:
        row = {
            "stream_time": round(step.time, 3),
            "posterior": round(step.posterior, 6),
            "warm": step.warm,
            "verified": None if step.verified is None else round(step.verified, 6),
            "trigger": step.trigger is not None,
        }
        if form == "csv":
            table.writerow(row)
        else:
            print(json.dumps(row))

    return write
