"""Ends a run: computes metrics on held-out speakers, writes the model file and its card, records the run."""

import datetime
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kwsd.files import replace_file
from kwsd.runtime.model import Array, Model, Settings
from kwsd.training.augment.training_set import Recordings
from kwsd.training.evaluate.metrics import Scores, clip_metrics, det_curve
from kwsd.training.fit.clip_scores import split_scores
from kwsd.training.nn.convert import from_torch
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.quantize import Quantized
from kwsd.training.release.card import card
from kwsd.training.release.cost import cost
from kwsd.training.release.modelfile import save_model
from kwsd.training.release.runs import add_run

JUDGED = ("validation", "dev-test")
INHERITED = "inherited"  # a verifier and its threshold that come from the parent model


@dataclass(frozen=True)
class Output:
    """Where a run writes.

    model: the model file. Beside it are its card (.md) and, until the run is over, its checkpoint (.ckpt).
    record: file of JSON lines to which the run is added. resume: continue from the checkpoint, if there is
    one. command: the command line that started the run, for the card.
    """

    model: Path
    record: Path | None = None
    resume: bool = False
    command: str = ""

    @property
    def checkpoint(self) -> Path:
        """Where the state after each epoch is saved, until the run is over."""
        return self.model.with_suffix(".ckpt")

    @property
    def resumes(self) -> bool:
        """Whether the run continues an interrupted one."""
        return self.resume and self.checkpoint.exists()


@dataclass(frozen=True)
class FinishedRun:
    """A network at the end of a run, and the facts for its file, its card and the record.

    kind: the command that made it, as in the report. recipe: Recipe.facts() and other facts such as teachers,
    temperature and bits. settings: of the model; if None, its stride, `window` and a threshold that is chosen
    on the validation clips. history: one entry per epoch. seconds: duration of the training.
    """

    crnn: CRNN
    recordings: Recordings
    kind: str
    window: int
    recipe: dict[str, Any]
    settings: Settings | None = None
    verifier: dict[str, Array] | None = None
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float | None = None

    def model(self, facts: dict[str, Any] | None = None) -> Model:
        """The network as the runtime has it."""
        settings = self.settings or Settings(window=self.window, step=self.crnn.architecture.stride[1])
        return from_torch(self.crnn, self.recordings.keyword, settings, facts, self.verifier)


def release(run: FinishedRun, output: Output) -> dict[str, Any]:
    """Write the model and its card, and record the run. Returns its metrics by split.

    Raises KwsdError if a file cannot be written.
    """
    settings = run.model().settings
    window, step = settings.window, settings.step
    scores = {split: split_scores(run.crnn, run.recordings, split, window, step) for split in JUDGED}
    metrics = {split: clip_metrics(*pair) for split, pair in scores.items()}
    if not run.settings:
        run = replace(run, settings=replace(settings, threshold=threshold_from(*scores["validation"])))
    facts = {
        "data": run.recordings.facts(),
        "recipe": run.recipe,
        "command": output.command,
        "date": datetime.date.today().isoformat(),
    }
    judged = {"one_minus_auroc": {split: m["one_minus_auroc"] for split, m in metrics.items()}}
    entries = run.crnn.packed() if isinstance(run.crnn, Quantized) else None
    save_model(run.model(facts | judged), output.model, entries)
    replace_file(output.model.with_suffix(".md"), card(output.model, metrics, facts))
    if output.record:
        add_run(output.record, _recorded(run, output, metrics, facts))
    return metrics


def _recorded(
    run: FinishedRun, output: Output, metrics: dict[str, Any], facts: dict[str, Any]
) -> dict[str, Any]:
    """The run as a line of the record."""
    line = {
        "kind": run.kind,
        "name": output.model.stem,
        "config": run.recipe | {"window": run.window, "architecture": asdict(run.crnn.architecture)},
        "cost": asdict(cost(output.model)[1]),
        "metrics": metrics,
        "command": facts["command"],
        "date": facts["date"],
    }
    trained = {"history": run.history, "seconds": run.seconds} if run.history else {}
    return line | trained


def threshold_from(keyword: Scores, others: Scores) -> float:
    """The posterior that at most one in a thousand other words reaches, limited to 0.5 to 0.95."""
    false_alarms, _ = det_curve(keyword, others)
    thresholds = np.unique(np.concatenate((keyword, others, [np.inf])))
    log_odds = thresholds[np.flatnonzero(false_alarms <= 0.001)[0]]
    return round(float(np.clip(1 / (1 + np.exp(-log_odds)), 0.5, 0.95)), 3)
