"""``kwsd mine``: cut a model's false alarms out of the training split of folders."""

from pathlib import Path

from kwsd.errors import UsageError
from kwsd.runtime.model import Model
from kwsd.training.data.reader import Reader
from kwsd.training.data.speech_commands import files_of
from kwsd.training.evaluate.mining import already_mined, mine
from kwsd.training.workflows.progress import SILENT, Progress, filling, warn_of_recordings
from kwsd.training.workflows.streams import ConditionFolders


def mine_folders(
    model: Model,
    negatives: tuple[Path, ...],
    out: Path,
    threshold: float = 0.3,
    conditions: ConditionFolders = ConditionFolders(),  # noqa: B008 - it is frozen
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> list[int]:
    """Write a clip of each false alarm to `out` (see kwsd.training.evaluate.mining). Returns clips per file.

    Only the training split of the folders is mined; the rest is for evaluation. Raises UsageError if there is
    nothing in the training split, or if `out` was mined with another model or threshold.
    """
    with filling(out, progress):
        already_mined(model, threshold, out)  # refuses another model or threshold before anything is read
    reader = Reader()
    files = [path for folder in negatives for path in files_of(folder, "training")]
    if not files:
        where = ", ".join(map(str, negatives))
        raise UsageError(f"no recordings to mine in {where}: some are kept for evaluation; give more")
    acoustic = conditions.read("training", reader)
    counts: list[int] = []

    def on_file(_: Path, count: int) -> None:
        counts.append(count)
        progress.batch()

    with filling(out, progress), progress.stage("mining", len(files)):
        mine(model, files, out, threshold, on_file, acoustic, reader, jobs)
    warn_of_recordings(reader, progress)
    return counts
