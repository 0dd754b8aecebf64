"""Options of the commands that work on streams (evaluate, tune, mine), and the table of a curve."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import Folder, ModelName
from kwsd.cli.number import Number

if TYPE_CHECKING:
    from kwsd.training.evaluate.curve import Point
    from kwsd.training.workflows.streams import ConditionFolders

MODEL = click.option(
    "--model", type=ModelName(), required=True, help="Model file, or the name of a shipped model."
)
POSITIVES = click.option(
    "--positives", type=Folder(), multiple=True, help="Folder of recordings of the keyword. Repeatable."
)
NEGATIVES = click.option(
    "--negatives", type=Folder(), multiple=True, help="Folder of recordings without the keyword. Repeatable."
)
NOISE = click.option(
    "--noise", type=Folder(), multiple=True, help="Folder of noise to mix in at --snr. Repeatable."
)
SNR = click.option(
    "--snr", type=Number(-50, 100), help="Signal-to-noise ratio in dB at which --noise is mixed in."
)
RIR = click.option(
    "--rir", type=Folder(), multiple=True, help="Folder of room impulse responses. Repeatable."
)


def conditions(noise: tuple[Path, ...], snr: float | None, rir: tuple[Path, ...] = ()) -> "ConditionFolders":
    """The acoustic conditions that the options name."""
    from kwsd.training.workflows.streams import ConditionFolders

    return ConditionFolders(noise, snr, rir)


def table(points: "list[Point]", wanted: float = 0.5) -> None:
    """Print the curve, and its best point at `wanted` false alarms per hour."""
    from rich.console import Console
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
    console = Console()
    console.print(shown)
    console.print(f"{points[0].positives} utterances, {points[0].hours:.2f} hours without the keyword")
    console.print(
        f"at {wanted:g} FA/h: FRR {best.frr:.1%}, threshold {best.threshold:g}"
        if best
        else f"no threshold gives {wanted:g} FA/h or fewer"
    )
