"""Writes the report of recorded runs in Markdown: tables, figures, and hand-written notes from a file."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from kwsd.files import replace_file
from kwsd.training.release.notes import notes_beside
from kwsd.training.report import plots

Run = dict[str, Any]
Sections = dict[str, list[str]]  # paragraphs by heading

SHIPPED = {"train", "distill", "quantize", "qat", "prune"}  # kinds of run that make a model


def write_report(runs: list[Run], path: Path, teacher: str = "teacher") -> None:
    """Write the page `path`, and its figures to a folder beside it.

    teacher: the group of runs that ratios refer to; if there is none, the most expensive one. Hand-written
    text comes from `notes_of(path)`. Raises KwsdError if a file cannot be written.
    """
    groups = grouped(run for run in runs if run["kind"] in SHIPPED)
    figures = path.with_suffix("")
    sections: Sections = {}
    if groups:
        if teacher not in groups:
            teacher = max(groups, key=lambda name: float(groups[name][0]["cost"]["macs_per_second"]))
        plots.quality_plot(quality_points(groups), figures / "quality.png")
        sections["Models"] = [
            models_table(groups, teacher),
            MODELS,
            f"![Quality over cost]({figures.name}/quality.png)",
        ]
    if comparisons := [run for run in runs if run["kind"] == "compare"]:
        sections["Ways to quantize"] = [compare_table(comparisons)]
    if trials := [run for run in runs if run["kind"] == "grid"]:
        cells = [(t["params"]["temperature"], t["params"]["alpha"], t["values"][0]) for t in trials]
        plots.grid_plot(cells, figures / "grid.png")
        sections["Temperature and alpha"] = [
            f"![The grid]({figures.name}/grid.png)",
            f"{len(trials)} students of {trials[0]['epochs']} epochs each.",
        ]
    if trials := [run for run in runs if run["kind"] == "search"]:
        plots.search_plot([(t["values"][0], t["values"][1]) for t in trials], figures / "search.png")
        sections["Architectures"] = [
            f"![The search]({figures.name}/search.png)",
            f"{len(trials)} architectures, chosen by Optuna, of {trials[0]['epochs']} epochs each.",
        ]
    plots.macs_plot(figures / "macs.png")
    sections["Multiply-adds over hidden size and channels"] = [f"![Multiply-adds]({figures.name}/macs.png)"]
    if curves := {run["name"]: run["history"] for run in runs if "history" in run}:
        plots.curves_plot(curves, figures / "curves.png")
        sections["Training"] = [f"![Training curves]({figures.name}/curves.png)"]
    notes = notes_of(path)
    parts = ["# Report of the recorded runs", INTRODUCTION, *notes.pop("", [])]
    for heading, paragraphs in with_notes(sections, notes).items():
        parts += [f"## {heading}", *paragraphs]
    replace_file(path, "\n\n".join(parts) + "\n")


def notes_of(path: Path) -> Sections:
    """The notes beside a page by their headings; "" for those before the first heading."""
    first, *rest = re.split(r"^## +", notes_beside(path), flags=re.MULTILINE)
    found = {"": first, **{heading: body for heading, _, body in (part.partition("\n") for part in rest)}}
    return {heading.strip(): [body.strip()] for heading, body in found.items() if body.strip()}


def with_notes(sections: Sections, notes: Sections) -> Sections:
    """The sections, each followed by the notes with its heading.

    A heading that only the notes have is put after the heading that precedes it in the notes.
    """
    order = list(sections)
    before = ""
    for heading in notes:
        if heading not in sections:
            order.insert(order.index(before) + 1 if before else len(order), heading)
        before = heading
    return {heading: sections.get(heading, []) + notes.get(heading, []) for heading in order}


def grouped(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by their name without the seed (``student-2``). A repeated run counts once."""
    groups = defaultdict(list)
    for run in {run["name"]: run for run in runs}.values():
        groups[re.sub(r"-\d+$", "", run["name"])].append(run)
    return dict(groups)


def quality(run: Run, split: str = "dev-test") -> float:
    """1 - AUROC of a run."""
    return float(run["metrics"][split]["one_minus_auroc"])


def mean_quality(runs: list[Run]) -> float:
    """Mean 1 - AUROC on dev-test."""
    return float(np.mean([quality(run) for run in runs]))


def bits(run: Run) -> int:
    """Bits of a run's weights."""
    return int(run["config"].get("bits", 32))


def models_table(groups: dict[str, list[Run]], teacher: str) -> str:
    """Cost and quality of every group: mean and range over its seeds, and the ratio to the teacher."""
    base, base_quality = groups[teacher][0]["cost"], mean_quality(groups[teacher])
    lines = [
        f"| model | made by | bits | parameters | MACs/s | {teacher}'s / | weights, bytes | {teacher}'s / "
        f"| file, bytes | seeds | 1 - AUROC, validation | dev-test: mean (least to most) | x {teacher}'s |",
        "|---" * 13 + "|",
    ]
    for name, runs in groups.items():
        c = runs[0]["cost"]
        values = np.array([quality(run) for run in runs])
        validation = np.mean([quality(run, "validation") for run in runs])
        lines.append(
            f"| {name} | {runs[0]['kind']} | {bits(runs[0])} "
            f"| {c['parameters']:,} | {c['macs_per_second']:,.0f} "
            f"| {base['macs_per_second'] / c['macs_per_second']:.1f} | {c['weight_bytes']:,} "
            f"| {base['weight_bytes'] / c['weight_bytes']:.1f} | {c['file_bytes']:,} | {len(runs)} "
            f"| {validation:.1e} | {values.mean():.2e} ({values.min():.1e} to {values.max():.1e}) "
            f"| {f'{values.mean() / base_quality:.2f}' if base_quality else '-'} |"
        )
    return "\n".join(lines)


def compare_table(comparisons: list[Run]) -> str:
    """Post-training quantization of each model in every way."""
    lines = ["| model | way | 1 - AUROC, validation | dev-test |", "|---|---|---|---|"]
    for run in comparisons:
        found = run["one_minus_auroc"]
        lines.append(
            f"| {run['model']} | {run['way']} | {found['validation']:.2e} | {found['dev-test']:.2e} |"
        )
    return "\n".join(lines)


def quality_points(groups: dict[str, list[Run]]) -> list[plots.Model]:
    """Every group, with its mean 1 - AUROC on dev-test."""
    return [
        plots.Model(
            name,
            runs[0]["cost"]["macs_per_second"],
            runs[0]["cost"]["weight_bytes"],
            mean_quality(runs),
            bits(runs[0]) < 32,
        )
        for name, runs in groups.items()
    ]


INTRODUCTION = """\
`kwsd report` writes this page and its figures from recorded runs; hand-written text comes from the file of
notes beside it. *Validation* was used to choose epochs, thresholds and settings. The results are on
*dev-test*: other speakers, who are in neither training nor validation."""

MODELS = """\
Multiply-adds (MACs) are those of the network at its own step; `kwsd info` adds the front end's. Bytes are
those of the weights as stored, scales included."""
