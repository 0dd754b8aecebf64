"""``kwsd tune``: copy a model file with the settings that are best for given recordings. Needs no torch."""

from pathlib import Path

from kwsd.errors import KwsdError
from kwsd.runtime.model import Settings
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.training.evaluate.curve import Point
from kwsd.training.evaluate.streams import Negative, Positive
from kwsd.training.evaluate.tuning import allowed, described, settings_to_try, tune
from kwsd.training.release.modelfile import write_settings
from kwsd.training.workflows.progress import SILENT, Progress


def tune_model(
    model: str,
    streams: tuple[list[Positive], list[Negative]],
    out: Path,
    fa_per_hour: float = 0.5,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> tuple[Settings, Point]:
    """Choose the settings on positive and negative streams, and write them with the model's weights to `out`.

    Raises KwsdError, and writes nothing, if no settings have a hit at `fa_per_hour` false alarms per hour.
    """
    path = find_model(model)
    loaded = read_model(path)

    def on_best(settings: Settings, point: Point) -> None:
        progress.note(f"{described(settings)}: misses {point.frr:.1%} at {point.fa_per_hour:.2f} FA/h")

    choices = settings_to_try(loaded)
    with progress.stage("choosing the settings", len(choices) * (len(streams[0]) + len(streams[1]))):
        settings, point = tune(loaded, *streams, choices, fa_per_hour, jobs, on_best, progress.batch)
    if point.false_alarms > allowed(fa_per_hour, point.hours):
        raise KwsdError(
            f"no threshold detects the keyword at {fa_per_hour:g} false alarms per hour; "
            f"allow {point.fa_per_hour:.2g}, or train on negatives like these"
        )
    write_settings(path, settings, out)
    return settings, point
