"""Choosing how a model is run on somebody's own recordings: threshold, patience, window and step."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kwsd.errors import KwsdError
from kwsd.runtime.model import Model, Settings
from kwsd.training.data.spool import Audio
from kwsd.training.evaluate.conditions import Negative
from kwsd.training.evaluate.streams import Point, Positive, curve


def settings_to_try(model: Model, synthetic: bool = False) -> list[dict[str, Any]]:
    """Windows and steps around the model's own, each with one to three steps of patience.

    With a verifier: steps alone, for it is the verifier that waits, and the first stage has to miss nothing.
    synthetic: its voices are, and so do not show how many real ones the first stage misses at wide steps.
    """
    own = model.settings
    windows = (own.window, own.window * 3 // 4)
    closer = max(1, own.step - 2)
    steps = (closer,) if synthetic else (own.step, closer)
    if model.verifier:
        return [{"step": step} for step in steps]
    return [
        {"window": window, "step": step, "patience": patience}
        for window, step, patience in itertools.product(windows, steps, (1, 2, 3))
    ]


def allowed(fa_per_hour: float, hours: float) -> int:
    """False alarms that are no more than so many an hour make one expect, to the nearest whole one."""
    return round(fa_per_hour * hours)


def tune(
    model: Model,
    positives: Sequence[Positive],
    negatives: Sequence[Negative | Audio],
    choices: list[dict[str, Any]],
    fa_per_hour: float,
    jobs: int,
    on_settings: Callable[[dict[str, Any], Point], None],
) -> tuple[Settings, Point]:
    """The settings with the lowest FRR at no more than `fa_per_hour`; of equals, the quickest.

    Where none is so quiet, the quietest. choices: settings to try, each at every threshold. on_settings:
    called with each choice and its best point. Raises KwsdError where none hears the keyword.
    """
    best: tuple[tuple[float, float, float], Settings, Point] | None = None
    for choice in choices:
        for point in curve(model, positives, negatives, choice, jobs):
            if not point.latencies:
                continue
            alarms = max(allowed(fa_per_hour, point.hours), point.false_alarms)
            rank = (alarms, point.frr, float(np.median(point.latencies)))
            if best is None or rank < best[0]:
                settings = model.settings.override(**choice, threshold=point.threshold)
                best = (rank, settings, point)
                on_settings(choice, point)
    if best is None:
        raise KwsdError("no threshold hears the keyword in these positives")
    return best[1], best[2]
