"""Chooses the best settings of a model for given recordings."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from kwsd.errors import KwsdError
from kwsd.runtime.model import Model, Settings
from kwsd.training.evaluate.curve import Point, curve
from kwsd.training.evaluate.streams import Negative, Positive


def described(settings: Settings) -> str:
    """The settings that are chosen, as text."""
    return (
        f"threshold {settings.threshold:g}, candidate threshold {settings.candidate_threshold:g}, "
        f"patience {settings.patience}, window {settings.window}, step {settings.step}"
    )


def settings_to_try(model: Model, synthetic: bool = False) -> list[Settings]:
    """The model's own window and step and smaller ones, each with a patience of one to three steps.

    With a second stage only steps are varied: that stage waits for the end of the word, and the first one
    must miss nothing. synthetic: the positives are synthetic voices. They do not show how many real ones the
    first stage misses with a wide step, so only the smaller step is tried.
    """
    own = model.settings
    windows = (own.window, max(1, own.window * 3 // 4))
    smaller = max(1, own.step - 2)
    steps = (smaller,) if synthetic else (own.step, smaller)
    if model.verifier:
        return [own.override(step=step) for step in steps]
    return [
        own.override(window=window, step=step, patience=patience)
        for window, step, patience in itertools.product(windows, steps, (1, 2, 3))
    ]


def allowed(fa_per_hour: float, hours: float) -> int:
    """The number of false alarms that is acceptable in `hours`, rounded."""
    return round(fa_per_hour * hours)


def tune(
    model: Model,
    positives: Sequence[Positive],
    negatives: Sequence[Negative],
    choices: Sequence[Settings],
    fa_per_hour: float,
    jobs: int | None = None,
    on_best: Callable[[Settings, Point], None] = lambda *_: None,
    on_stream: Callable[[], None] = lambda: None,
) -> tuple[Settings, Point]:
    """The settings with the lowest FRR at no more than `fa_per_hour`, and their point of the curve.

    Of equal ones those with fewer false alarms are better, then those that are quicker. If none has so few
    false alarms, those with the fewest are best.
    choices: each is tried at every threshold. on_best: called with each that is better than all before it.
    on_stream: called after each stream of each choice. Raises KwsdError if none has a hit.
    """
    best: tuple[tuple[float, ...], Settings, Point] | None = None
    for choice in choices:
        for point in curve(model, positives, negatives, choice, jobs, on_stream):
            if not point.latencies:
                continue
            alarms = max(allowed(fa_per_hour, point.hours), point.false_alarms)
            rank = (alarms, point.frr, point.false_alarms, float(np.median(point.latencies)))
            if best is None or rank < best[0]:
                settings = choice.override(threshold=point.threshold)
                best = (rank, settings, point)
                on_best(settings, point)
    if best is None:
        raise KwsdError("no threshold detects the keyword in these positives")
    return best[1], best[2]
