"""``kwsd experiment``: the experiment that this project began with, from training to the report.

A teacher is trained, heard on a stream at two speeds, distilled into a student with the best temperature and
alpha of a grid, and quantized. The report compares all of them.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from kwsd.errors import KwsdError, UsageError
from kwsd.files import replace_file
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import check_keyword
from kwsd.runtime.modelfile import read_model
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.losses import DistillationLoss
from kwsd.training.fit.recipe import Recipe
from kwsd.training.release.release import Output
from kwsd.training.release.runs import read_runs
from kwsd.training.report.report import STREAM, write_report
from kwsd.training.workflows.compress import compare_quantizations, quantize
from kwsd.training.workflows.distill import Search, distill, search
from kwsd.training.workflows.from_recordings import train
from kwsd.training.workflows.progress import SILENT, Progress
from kwsd.training.workflows.run import NO_SOURCES, Sources, read_recordings
from kwsd.training.workflows.score import draw_scores

SPEEDS = ((20, 8), (8, 5))  # window and step of the streamed experiment
OPTIONS = "options.json"  # in the folder of an experiment
OTHERS, KEYWORDS = 10, 2  # clips in its stream


@dataclass(frozen=True)
class ExperimentPlan:
    """What is trained. grid: the recipe of each of the `trials` students of the grid."""

    keyword: str
    teacher: Recipe
    student: Recipe
    grid: Recipe
    trials: int = 20


def experiment(
    data: Path,
    folder: Path,
    plan: ExperimentPlan,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
    command: str = "",
) -> Path:
    """Run the experiment on a Speech Commands tree. Returns the path of the report, in `folder`.

    An interrupted experiment continues from what it has left in `folder`. Raises UsageError, before any
    training, if an argument or the recordings cannot be used, or if the folder holds another experiment.
    """
    check_keyword(plan.keyword)
    options = json.dumps([data, asdict(sources), asdict(plan)], indent=1, default=str)
    check_unclaimed(folder, options)
    clips = stream(read_recordings(data, plan.keyword, sources, progress))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KwsdError(f"cannot make the folder {folder}: {error.strerror}") from error
    replace_file(folder / OPTIONS, options)
    record, figures = folder / "runs.jsonl", folder / "report"
    teacher, student, int8 = (folder / f"{name}.pt" for name in ("teacher", "student", "student-int8"))

    def output(model: Path) -> Output:
        return Output(model, record, resume=True, command=command)

    if "teacher" not in finished(record):
        train(plan.keyword, data, plan.teacher, output(teacher), sources, progress)
    if not (figures / STREAM).exists():
        model = read_model(teacher)
        settings = [model.settings.override(window=window, step=step) for window, step in SPEEDS]
        draw_scores(clips, [Detector(model, each) for each in settings], figures / STREAM)
    if "student" not in finished(record):
        grid = Search(str(folder / "grid.journal"), plan.trials, record=record)
        best = search((str(teacher),), data, plan.grid, grid, sources, progress).best_params
        loss = DistillationLoss(best["temperature"], best["alpha"])
        progress.note(f"the best of the grid: temperature {loss.temperature:g}, alpha {loss.alpha:g}")
        distill((str(teacher),), data, plan.student, output(student), loss, sources, progress)
    if "student-int8" not in finished(record):
        quantize(str(student), data, 8, output(int8), sources, progress)
    for name in (teacher, student):
        if f"compare {name.stem}" not in finished(record):
            compare_quantizations(str(name), data, record, sources, progress)
    report = folder / "report.md"
    write_report(list(read_runs(record)), report)
    return report


def check_unclaimed(folder: Path, options: str) -> None:
    """Raise UsageError if the folder holds an experiment with other options."""
    try:
        claimed = (folder / OPTIONS).read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot read {folder / OPTIONS}: {error.strerror}") from error
    if claimed != options.encode():
        raise UsageError(
            f"{folder} holds an experiment with other options; give another folder, or its options"
        )


def finished(record: Path) -> set[str]:
    """The names of the models that are recorded, and "compare NAME" where ways to quantize it are."""
    runs = list(read_runs(record)) if record.exists() else []
    return {run.get("name") or f"compare {run.get('model')}" for run in runs}


def stream(recordings: Recordings) -> list[Path]:
    """Ten dev-test clips of other words, of as many words as possible, with two of the keyword among them."""
    keyword, others = recordings.words("dev-test")
    turns: Counter[str] = Counter()
    ordered = []
    for clip in others:
        ordered.append((turns[clip.word], clip.word, clip.path))
        turns[clip.word] += 1
    first, *rest = (clip.path for clip in keyword[:KEYWORDS])
    chosen = [path for _, _, path in sorted(ordered)[:OTHERS]]
    half = len(chosen) // 2
    return [*chosen[:half], first, *chosen[half:], *rest]
