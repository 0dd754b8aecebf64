"""Streaming evaluation: FRR and false alarms per hour of a detector, at many thresholds.

Streams go through the runtime's own detector. A hit is a trigger between the beginning of the keyword and one
second after its end; in a stream without the keyword every trigger is a false alarm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.spotter import TriggerRule
from kwsd.training.evaluate.intervals import count_interval, share_interval
from kwsd.training.evaluate.streams import Negative, Positive, Stream
from kwsd.training.parallel import parallel

THRESHOLDS = (
    0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999,
)  # fmt: skip
HIT_SECONDS = 1.0  # after the end of the keyword, within which a trigger is still a hit


@dataclass(frozen=True)
class Outcome:
    """The outcome of a stream at one threshold."""

    latency: float | None
    """Seconds from the keyword's end to the trigger; None if there is no hit."""

    false_alarms: int


@dataclass(frozen=True)
class Point:
    """A point of the curve: what a model does at one threshold."""

    threshold: float

    positives: int
    """Utterances of the keyword."""

    missed: int
    """Utterances without a hit."""

    false_alarms: int

    hours: float
    """Hours of audio without the keyword."""

    latencies: list[float]
    """Latency of each hit, in seconds from the end of the keyword to the trigger."""

    @property
    def frr(self) -> float:
        """Share of the utterances that are missed."""
        return self.missed / max(1, self.positives)

    @property
    def fa_per_hour(self) -> float:
        """False alarms per hour of audio without the keyword."""
        return self.false_alarms / self.hours if self.hours else 0.0

    def frr_interval(self) -> tuple[float, float]:
        """95 % interval of the FRR."""
        return share_interval(self.missed, max(1, self.positives))

    def fa_interval(self) -> tuple[float, float]:
        """95 % interval of FA/h."""
        low, high = count_interval(self.false_alarms)
        return low / (self.hours or 1.0), high / (self.hours or 1.0)

    def record(self) -> dict[str, Any]:
        """The point as plain values, latency in milliseconds."""
        latency = np.quantile(self.latencies, [0.5, 0.95]) * 1000 if self.latencies else [None, None]
        return {
            "threshold": self.threshold,
            "frr": self.frr,
            "frr_95": self.frr_interval(),
            "fa_per_hour": self.fa_per_hour,
            "fa_per_hour_95": self.fa_interval(),
            "missed": self.missed,
            "positives": self.positives,
            "false_alarms": self.false_alarms,
            "hours": self.hours,
            "latency_ms_p50": latency[0] and round(float(latency[0])),
            "latency_ms_p95": latency[1] and round(float(latency[1])),
        }


def curve(
    model: Model,
    positives: Sequence[Positive],
    negatives: Sequence[Negative],
    settings: Settings | None = None,
    jobs: int | None = None,
    on_stream: Callable[[], None] = lambda: None,
) -> list[Point]:
    """FRR and FA/h at each of THRESHOLDS.

    settings: if None, the model's own. jobs: as in `parallel`. on_stream: called after each stream.
    """
    streams: list[Stream] = [*positives, *negatives]
    outcomes = []
    for outcome in parallel(partial(detect, model, settings or model.settings), streams, jobs):
        outcomes.append(outcome)
        on_stream()
    hours = sum(map(len, negatives)) / SAMPLE_RATE / 3600
    points = []
    for number, threshold in enumerate(THRESHOLDS):
        at_threshold = [outcome[number] for outcome in outcomes]
        latencies = [outcome.latency for outcome in at_threshold if outcome.latency is not None]
        alarms = sum(outcome.false_alarms for outcome in at_threshold)
        missed = len(positives) - len(latencies)
        points.append(Point(threshold, len(positives), missed, alarms, hours, latencies))
    return points


def lowest_frr(points: Sequence[Point], fa_per_hour: float) -> Point | None:
    """The point with the lowest FRR among those with at most this many false alarms per hour."""
    quiet = (point for point in points if point.fa_per_hour <= fa_per_hour)
    return min(quiet, key=lambda point: point.frr, default=None)


def detect(model: Model, settings: Settings, stream: Stream) -> list[Outcome]:
    """The outcome of a stream at each of THRESHOLDS.

    A trigger resets the engine, so a detector has the same posteriors at any threshold only until its first
    one. One pass therefore finds the first trigger at each threshold. A second pass is needed only for the
    thresholds at which later triggers count, too.
    """
    every = [settings.override(threshold=threshold) for threshold in THRESHOLDS]
    firsts = first_triggers(model, settings, every, stream)
    triggers = [[] if first is None else [first] for first in firsts]
    again = [number for number, found in enumerate(triggers) if found and _later_ones_count(found[0], stream)]
    if again:
        for number, found in zip(again, all_triggers(model, [every[n] for n in again], stream), strict=True):
            triggers[number] = found
    return [_outcome(found, stream) for found in triggers]


def first_triggers(
    model: Model, settings: Settings, every: Sequence[Settings], stream: Stream
) -> list[float | None]:
    """The stream time of the first trigger, in seconds, with each of the settings `every`, which differ in
    threshold only.

    They are found from the steps of a detector that never fires. With a second stage its threshold is 1,
    which the score of both stages never reaches. Without one, rounding may bring a posterior to 1, but it
    does not stay there for 10,000 steps.
    """
    silent = Detector(model, settings.override(threshold=1.0, patience=None if model.verifier else 10_000))
    silent.warm_up()
    times: list[float | None] = [None] * len(every)
    rules = dict(enumerate(TriggerRule(model, one) for one in every))  # those that have not fired
    for block in stream.blocks():
        for step in silent.steps(block):
            for number in [number for number, rule in rules.items() if rule.push(step)]:
                times[number] = step.time
                del rules[number]
    return times


def all_triggers(model: Model, every: Sequence[Settings], stream: Stream) -> list[list[float]]:
    """The stream times of all triggers, in seconds, with each of these settings."""
    detectors = [Detector(model, one) for one in every]
    for detector in detectors:
        detector.warm_up()
    times: list[list[float]] = [[] for _ in detectors]
    for block in stream.blocks():
        for detector, found in zip(detectors, times, strict=True):
            found += [trigger.stream_time for trigger in detector.feed(block)]
    return times


def _later_ones_count(first: float, stream: Stream) -> bool:
    """Whether triggers after the first one affect the outcome. first: its stream time, in seconds."""
    return isinstance(stream, Negative) or first < stream.start


def _outcome(triggers: Sequence[float], stream: Stream) -> Outcome:
    """The outcome of a stream with triggers at these stream times, in seconds."""
    if isinstance(stream, Negative):
        return Outcome(None, len(triggers))
    hits = [time for time in triggers if stream.start <= time <= stream.end + HIT_SECONDS]
    return Outcome(hits[0] - stream.end if hits else None, 0)
