"""What `kwsd evaluate` and `kwsd tune` share: folders of recordings as streams, and the curve of them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import Folder
from kwsd.cli.number import Number
from kwsd.cli.progress import console, warn_of_recordings
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.runtime.model import Model, Settings
    from kwsd.training.data.reader import Reader
    from kwsd.training.evaluate.conditions import AcousticConditions
    from kwsd.training.evaluate.curve import Point
    from kwsd.training.evaluate.streams import Negative, Positive

POSITIVES = click.option(
    "--positives", type=Folder(), multiple=True, help="Folder of recordings of the keyword. Repeatable."
)
NEGATIVES = click.option(
    "--negatives", type=Folder(), multiple=True, help="Folder of recordings without it. Repeatable."
)
NOISE = click.option("--noise", type=Folder(), multiple=True, help="Folder of noise, for --snr. Repeatable.")
SNR = click.option(
    "--snr", type=Number(-50, 100), help="Decibels of the speech above noise mixed in.  [default: none]"
)
RIR = click.option(
    "--rir", type=Folder(), multiple=True, help="Folder of room impulse responses. Repeatable."
)


def read(
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None,
    noise: tuple[Path, ...],
    snr: float | None,
    rir: tuple[Path, ...],
) -> "tuple[list[Positive], list[Negative]]":
    """The streams of the folders. Raises UsageError where there are none."""
    from kwsd.training.data.reader import Reader
    from kwsd.training.evaluate.streams import read_streams

    reader = Reader()
    streams = read_streams(positives, negatives, split, conditions(noise, snr, rir, split, reader), reader)
    warn_of_recordings(reader)
    for kind, found in zip(("--positives", "--negatives"), streams, strict=True):
        if not found:
            raise UsageError(f"{kind}: no recordings there" + (f" in the {split} split" if split else ""))
    return streams


def conditions(
    noise: tuple[Path, ...],
    snr: float | None,
    rir: tuple[Path, ...],
    split: str | None,
    reader: "Reader",
) -> "AcousticConditions":
    """Noise of this split's side, and rooms. Raises UsageError for noise without a ratio, or the reverse."""
    from kwsd.training.data.speech_commands import files_of
    from kwsd.training.evaluate.conditions import AcousticConditions

    if noise and snr is None:
        raise UsageError("--noise needs a level to mix it in at: give --snr DB")
    sounds = reader.recordings(path for folder in noise for path in files_of(folder, split))
    rooms = reader.sounds(path for folder in rir for path in files_of(folder))
    if snr is not None and not sounds:
        raise UsageError("--snr needs noise to mix in: give --noise DIR")
    return AcousticConditions(sounds, snr, rooms)


def evaluate(
    model: "Model",
    streams: "tuple[list[Positive], list[Negative]]",
    settings: "Settings",
    jobs: int | None,
) -> "list[Point]":
    """The curve of a model over the streams, with a progress bar on the terminal."""
    from rich.progress import Progress

    from kwsd.training.evaluate.curve import curve

    positives, negatives = streams
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("streaming", total=len(positives) + len(negatives))
        advance: Callable[[], None] = lambda: progress.advance(task)  # noqa: E731
        return curve(model, positives, negatives, settings, jobs, advance)


def table(points: "list[Point]", wanted: float = 0.5) -> None:
    """Print the curve, and the best point at `wanted` false alarms an hour."""
    from rich.table import Table

    from kwsd.training.evaluate.curve import lowest_frr

    shown = Table("threshold", "FRR (95 %)", "FA/h (95 %)", "latency p50, p95", header_style="bold")
    best = lowest_frr(points, wanted)
    for point in points:
        row = point.record()
        low, high = row["frr_95"]
        few, many = row["fa_per_hour_95"]
        shown.add_row(
            f"{point.threshold:g}",
            f"{point.frr:.1%} ({low:.1%} to {high:.1%})",
            f"{point.fa_per_hour:.2f} ({few:.2f} to {many:.2f})",
            f"{row['latency_ms_p50']}, {row['latency_ms_p95']} ms" if point.latencies else "",
            style="green" if point is best else "",
        )
    console.print(shown)
    console.print(f"{points[0].positives} utterances, {points[0].hours:.2f} hours without the keyword")
    console.print(
        f"at {wanted:g} FA/h: FRR {best.frr:.1%}, threshold {best.threshold:g}"
        if best
        else f"no threshold is at or below {wanted:g} FA/h"
    )
