"""``kwsd score``: the posterior of every step of a recording, as text or as a picture."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import click

from kwsd.cli.checked import CheckedCommand, Picture, Text
from kwsd.cli.number import Number
from kwsd.errors import UsageError

WINDOW, STEP = click.IntRange(1, 100_000), click.IntRange(1, 1_000)
FIELDS = ["stream_time", "posterior", "warm", "verified", "trigger"]


@click.command(name="score", cls=CheckedCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option(
    "--model", type=Text(), default="happy", show_default=True, help="Model file, or name of a shipped model."
)
@click.option("--window", type=WINDOW, help="Steps the attention sees.  [default: the model's]")
@click.option("--step", type=STEP, help="Frames of 10 ms between steps.  [default: the model's]")
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
    threshold: float | None,
    form: str | None,
    plot: Path | None,
    beside: tuple[tuple[int, int], ...],
) -> None:
    """Several FILEs are heard as one, joined in order.

    `verified` is the posterior of both stages, where the model has a verifier and a candidate had it asked.
    """
    import numpy as np

    from kwsd.audio.file import FileSource
    from kwsd.pcm import SAMPLE_RATE
    from kwsd.runtime.detector import TAIL, Detector
    from kwsd.runtime.modelfile import find_model, read_model

    if beside and plot is None:
        raise UsageError("--beside is drawn only: give --plot, too")
    loaded = read_model(find_model(model))
    recordings = []
    for file in files:
        with FileSource(file) as source:
            recordings.append(np.concatenate([np.empty(0, np.float32), *source]))
    samples = np.concatenate([*recordings, np.zeros(TAIL, np.float32)])

    tracks = []
    for size, pace in ((window, step), *beside):
        detector = Detector(loaded, size, pace, threshold)
        detector.prime()
        tracks.append((detector, list(detector.steps(samples))))

    rows: list[dict[str, Any]] = [
        {
            "stream_time": round(one.time, 3),
            "posterior": round(one.posterior, 6),
            "warm": one.warm,
            "verified": None if one.verified is None else round(one.verified, 6),
            "trigger": one.trigger is not None,
        }
        for one in tracks[0][1]
    ]
    if form == "jsonl":
        for row in rows:
            print(json.dumps(row))
    elif form == "csv" or plot is None:
        writer = csv.DictWriter(sys.stdout, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if plot is not None:
        from kwsd.training.timeline import Track, draw_timeline

        ends = np.cumsum([len(recording) for recording in recordings]) / SAMPLE_RATE
        words = list(zip((0.0, *ends), (file.parent.name or file.stem for file in files), strict=False))
        named = "gate" if loaded.verifier else "threshold"
        drawn = [Track(f"window {d.window}, step {d.step}", d.gate, named, steps) for d, steps in tracks]
        draw_timeline(samples, words, drawn, plot)
