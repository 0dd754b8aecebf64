"""Figures of the report, drawn with matplotlib to files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from kwsd.errors import UsageError
from kwsd.runtime.model import STUDENT
from kwsd.training.evaluate.metrics import Scores, det_curve
from kwsd.training.nn.macs import macs_per_second
from kwsd.training.report.published import Published
from kwsd.training.report.results import Result

LOWEST = 1e-6  # of an area that is drawn for a model without mistakes, because a log scale has no zero
FLOAT_BITS = 32


def det_plot(models: dict[str, tuple[Scores, Scores]], path: Path) -> None:
    """Detection error trade-off of each model: FRR over FA, both on log scales (Martin et al. 1997)."""
    figure = Figure(figsize=(6, 4.5))
    axes = figure.subplots()
    for name, scores in models.items():
        false_alarms, false_rejections = det_curve(*scores)
        axes.plot(100 * false_alarms, 100 * false_rejections, label=name, drawstyle="steps-post")
    axes.set(xlabel="false alarms, % of other words", ylabel="false rejections, % of keywords")
    axes.set(xscale="symlog", yscale="symlog", xlim=(0, 100), ylim=(0, 100))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def curve_plot(curves: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """FRR over FA/h, linear to 0.1 and logarithmic beyond.

    curves: of Point.record (kwsd.training.evaluate.curve).
    """
    figure = Figure(figsize=(6, 4.5))
    axes = figure.subplots()
    for name, points in curves.items():
        alarms, missed = [p["fa_per_hour"] for p in points], [100 * p["frr"] for p in points]
        axes.plot(alarms, missed, marker=".", label=name)
    axes.axvline(0.5, color="black", linestyle=":", linewidth=0.8)
    axes.set(xlabel="false alarms per hour", ylabel="FRR, %", xlim=(0, None), ylim=(0, 50))
    axes.set_xscale("symlog", linthresh=0.1)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


def grid_plot(trials: list[tuple[float, float, float]], path: Path) -> None:
    """Heat map of a grid's trials, each (temperature, alpha, validation 1 - AUROC)."""
    temperatures, alphas = (sorted({trial[i] for trial in trials}) for i in (0, 1))
    cells = [[[q for *cell, q in trials if cell == [t, a]] for a in alphas] for t in temperatures]
    values = np.array([[np.mean(cell) if cell else np.nan for cell in row] for row in cells])
    figure = Figure(figsize=(5.5, 4))
    axes = figure.subplots()
    image = axes.imshow(values, norm=LogNorm(), cmap="Oranges", aspect="auto")
    for row, column in np.ndindex(values.shape):
        axes.text(column, row, f"{values[row, column]:.1e}", ha="center", va="center", fontsize=8)
    axes.set_xticks(range(len(alphas)), [f"{alpha:g}" for alpha in alphas])
    axes.set_yticks(range(len(temperatures)), [f"{temperature:g}" for temperature in temperatures])
    axes.set(xlabel="alpha (weight of the soft loss)", ylabel="temperature")
    figure.colorbar(image, label="1 - AUROC, validation as is and in noise")
    save(figure, path)


def search_plot(trials: list[tuple[float, float]], path: Path) -> None:
    """A search's trials, each (validation 1 - AUROC, multiply-adds per second)."""
    figure = Figure(figsize=(5.5, 4))
    axes = figure.subplots()
    quality, macs = zip(*trials, strict=True)
    axes.scatter(macs, quality)
    axes.set(
        xlabel="multiply-adds per second of audio",
        ylabel="1 - AUROC, validation as is and in noise",
        xscale="log",
        yscale="log",
    )
    axes.grid(alpha=0.3)
    save(figure, path)


def pareto_front(models: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The least area that any model has which is at least as cheap, at the ratio of each model, ascending.

    models: (how many times fewer multiply-adds or bytes than the teacher, area) of each.
    """
    ratios, areas = zip(*sorted(models), strict=True)
    least = np.minimum.accumulate(areas[::-1])[::-1]
    return list(zip(ratios, least.tolist(), strict=True))


def quality_plot(results: Sequence[Result], published: Sequence[Published], limit: float, path: Path) -> None:
    """au_fa_fr over how many times fewer multiply-adds and bytes a model needs than the teacher; log scales.

    Bars go from the lowest to the highest of the seeds. A dashed line is the Pareto front. limit: au_fa_fr of
    a dotted line.
    """
    figure = Figure(figsize=(11, 4.5))
    over_macs, over_bytes = figure.subplots(1, 2, sharey=True)
    for axes, cost in ((over_macs, "macs"), (over_bytes, "weight_bytes")):
        for result in results:
            areas = [max(area, LOWEST) for area in result.areas]
            middle = max(result.area, LOWEST)
            axes.errorbar(
                getattr(result, cost),
                middle,
                [[middle - min(areas)], [max(areas) - middle]],
                marker="s" if result.bits < FLOAT_BITS else "o",
                linestyle="none",
                label=result.name,
            )
        front = pareto_front([(getattr(result, cost), max(result.area, LOWEST)) for result in results])
        axes.step(*zip(*front, strict=True), where="pre", color="grey", linestyle="--", linewidth=0.8)
        for number, one in enumerate(published, 1):
            place = getattr(one, cost), one.au_fa_fr
            axes.plot(*place, marker="D", markerfacecolor="none", color="black", linestyle="none")
            axes.annotate(str(number), place, (5, -10), textcoords="offset points", fontsize=8)
        axes.axhline(limit, color="black", linestyle=":", linewidth=0.8)
        axes.set(xscale="log", yscale="log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.grid(alpha=0.3, which="both")
    over_macs.set(xlabel="times fewer multiply-adds than the teacher", ylabel="au_fa_fr, dev-test")
    over_bytes.set(xlabel="times fewer bytes of weights than the teacher")
    handles, labels = over_bytes.get_legend_handles_labels()
    empty = Line2D([], [], linestyle="none")
    names = [f"{number}  {one.name}" for number, one in enumerate(published, 1)]
    over_bytes.legend(
        [*handles, *(empty for _ in names)],
        [*labels, *names],
        title="squares: quantized; diamonds: published",
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    save(figure, path)


def macs_plot(path: Path) -> None:
    """Multiply-adds per second of the student's shape, over hidden size, for several numbers of channels."""
    figure = Figure(figsize=(5.5, 4))
    axes = figure.subplots()
    sizes = range(8, 65, 2)
    for channels in (2, 4, 8, 16):
        shapes = [replace(STUDENT, channels=channels, hidden=hidden) for hidden in sizes]
        axes.plot(sizes, [macs_per_second(a, a.stride[1]) for a in shapes], label=f"{channels} channels")
    axes.set(xlabel="hidden size", ylabel="multiply-adds per second of audio", yscale="log")
    axes.set_title(f"kernel {STUDENT.kernel}, stride {STUDENT.stride} (bands, frames)", fontsize=10)
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    save(figure, path)


def curves_plot(histories: dict[str, list[dict[str, float]]], path: Path) -> None:
    """Loss and validation 1 - AUROC over epochs, of each run."""
    figure = Figure(figsize=(11, 4.5))
    loss, validation = figure.subplots(1, 2)
    for name, history in histories.items():
        epochs = [epoch["epoch"] for epoch in history]
        loss.plot(epochs, [epoch["loss"] for epoch in history])
        validation.plot(epochs, [max(epoch["validation"], LOWEST) for epoch in history], label=name)
    loss.set(xlabel="epoch", ylabel="training loss", yscale="log")
    validation.set(xlabel="epoch", ylabel="1 - AUROC, validation as is and in noise", yscale="log")
    validation.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write the figure in the format of the path's suffix. Raises UsageError if that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=130, bbox_inches="tight")
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot draw {path}: {str(error).splitlines()[0]}") from error
