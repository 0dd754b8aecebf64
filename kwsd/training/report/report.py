"""Writes the report of recorded runs in Markdown: tables, figures, and hand-written notes from a file.

It opens with its conclusion. The names of the headings are also those of the notes.
"""

import re
from pathlib import Path

import numpy as np

from kwsd.files import replace_file
from kwsd.training.release.notes import notes_beside
from kwsd.training.report import plots
from kwsd.training.report.conclusion import conclusion
from kwsd.training.report.published import LIMIT, PUBLISHED, TASK, Published
from kwsd.training.report.results import Result, Run, results_of

Sections = dict[str, list[str]]  # paragraphs by heading

STREAM = "stream.png"  # in the folder of figures, if `kwsd experiment` has drawn it
MODEL_KINDS = {"train", "distill", "quantize", "qat", "prune"}  # kinds of run that make a model


def write_report(runs: list[Run], path: Path) -> None:
    """Write the page `path`, and its figures to a folder beside it.

    Hand-written text comes from `notes_of(path)`. Raises KwsdError if a file cannot be written.
    """
    made = [run for run in runs if run["kind"] in MODEL_KINDS]
    figures = path.with_suffix("")
    sections: Sections = {}
    opening, appendix = [INTRODUCTION], []
    if made:
        teacher, results = results_of(made)
        opening = [conclusion(teacher, results), INTRODUCTION]
        appendix = [full_table(teacher, results), COSTS]
        plots.quality_plot(results, PUBLISHED, LIMIT, figures / "quality.png")
        sections["Models"] = [
            short_table(teacher, results),
            COMPARISON,
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
    if (figures / STREAM).exists():
        sections["Ten clips of other words and two of the keyword"] = [
            f"![Posteriors]({figures.name}/{STREAM})",
        ]
    plots.macs_plot(figures / "macs.png")
    sections["Multiply-adds over hidden size and channels"] = [f"![Multiply-adds]({figures.name}/macs.png)"]
    if curves := {run["name"]: run["history"] for run in runs if "history" in run}:
        plots.curves_plot(curves, figures / "curves.png")
        sections["Training"] = [f"![Training curves]({figures.name}/curves.png)"]
    if appendix:
        sections["Appendix: all columns"] = appendix
    notes = notes_of(path)
    parts = ["# Report of the recorded runs", *opening, *notes.pop("", [])]
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


def short_table(teacher: Result, results: list[Result]) -> str:
    """Cost and quality of every model, then of the published ones."""
    lines = [
        f"| model | MACs, {teacher.name}'s / | bytes, {teacher.name}'s / | au_fa_fr: mean (least to most) |",
        "|---" * 4 + "|",
    ]
    for result in results:
        spread = f" ({min(result.areas):.1e} to {max(result.areas):.1e})" if len(result.runs) > 1 else ""
        lines.append(
            f"| {result.name} | {result.macs:.1f} | {result.weight_bytes:.1f} | {result.area:.2e}{spread} |"
        )
    lines.extend(
        f"| *{linked(one)}* | {one.macs:g} | {one.weight_bytes:g} | {one.au_fa_fr:.2e} |" for one in PUBLISHED
    )
    return "\n".join(lines)


def linked(published: Published) -> str:
    """The name of a published model, with a link to its source if that is known."""
    return f"[{published.name}]({published.source})" if published.source else published.name


def quality(run: Run, split: str = "dev-test") -> float:
    """1 - AUROC of a run."""
    return float(run["metrics"][split]["one_minus_auroc"])


def full_table(teacher: Result, results: list[Result]) -> str:
    """All recorded columns: mean and range over the seeds, and ratios to the teacher."""
    base_quality = np.mean([quality(run) for run in teacher.runs])
    name = teacher.name
    lines = [
        f"| model | made by | bits | parameters | MACs/s | {name}'s / | weights, bytes | {name}'s / "
        f"| file, bytes | seeds | 1 - AUROC, validation | dev-test: mean (least to most) | x {name}'s |",
        "|---" * 13 + "|",
    ]
    for result in results:
        c = result.runs[0]["cost"]
        values = np.array([quality(run) for run in result.runs])
        validation = np.mean([quality(run, "validation") for run in result.runs])
        lines.append(
            f"| {result.name} | {result.runs[0]['kind']} | {result.bits} "
            f"| {c['parameters']:,} | {c['macs_per_second']:,.0f} | {result.macs:.1f} "
            f"| {c['weight_bytes']:,} | {result.weight_bytes:.1f} | {c['file_bytes']:,} | {len(result.runs)} "
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


INTRODUCTION = """\
`kwsd report` writes this page and its figures from recorded runs; hand-written text comes from the file of
notes beside it. *Validation* was used to choose epochs, thresholds and settings. The results are on
*dev-test*: other speakers, who are in neither training nor validation."""

COMPARISON = f"""\
au_fa_fr is the area under FR over FA, both divided by the number of all clips, at 1,734 clips of the keyword
among 64,721. In *italics*: published models. Ratios of cost compare with theirs; areas do so only roughly,
because theirs are for "sheila", on their authors' own validation clips. Those without a link: source unknown.
The dotted line is the limit of [the task]({TASK}), {LIMIT:.1e}."""

COSTS = """\
Multiply-adds (MACs) are those of the network at its own step; `kwsd info` adds the front end's. Bytes are
those of the weights as stored, scales included."""
