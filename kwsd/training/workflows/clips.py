"""``kwsd evaluate`` on clips: measure how well a network's scores separate the keyword from other words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kwsd.errors import UsageError
from kwsd.training.augment.training_set import Recordings
from kwsd.training.evaluate.metrics import Scores, clip_metrics, misranked
from kwsd.training.fit.clip_scores import split_scores
from kwsd.training.fit.recipe import check_window
from kwsd.training.workflows.progress import SILENT, Progress, warn_of_recordings
from kwsd.training.workflows.run import read_crnn


@dataclass(frozen=True)
class ClipEvaluation:
    """The result of an evaluation on clips, and the window and step that were used."""

    window: int

    step: int

    metrics: dict[str, Any]
    """Those of kwsd.training.evaluate.metrics.clip_metrics and, if requested, the worst clips."""

    scores: tuple[Scores, Scores]
    """Log-odds of the clips with the keyword and of the others, (n,) and (m,)."""


def evaluate_clips(
    model: str,
    data: Path,
    split: str = "dev-test",
    window: int | None = None,
    step: int | None = None,
    worst: int | None = None,
    progress: Progress = SILENT,
) -> ClipEvaluation:
    """Score the clips of a split of a Speech Commands tree.

    model: a file, or the name of a shipped model. window, step: the model's own if None. worst: number
    of keyword clips with the lowest rank to find as well, with 1 - AUROC without them. Raises UsageError,
    before any evaluation, if the split has no clips, or no more clips of the keyword than `worst`.
    """
    crnn, read = read_crnn(model)
    window, step = window or read.settings.window, step or read.settings.step
    check_window(window, step)
    recordings = Recordings.read(data, read.keyword, (), ())
    try:
        clips, _ = recordings.words(split)
    finally:
        warn_of_recordings(recordings.reader, progress)
    if worst and worst >= len(clips):
        raise UsageError(f"the {split} split has {len(clips)} clips of the keyword; list fewer of the worst")
    scores = split_scores(crnn, recordings, split, window, step)
    metrics = clip_metrics(*scores)
    if worst:
        shares = misranked(*scores)
        order = np.argsort(-shares)
        metrics["worst"] = {str(clips[i].path.relative_to(data)): shares[i] for i in order[:worst]}
        metrics["one_minus_auroc_without"] = shares[order[worst:]].mean()
    return ClipEvaluation(window, step, metrics, scores)
