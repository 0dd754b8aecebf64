"""Streams and points of the curve for the tests of evaluation: bursts of noise stand for the keyword."""

from pathlib import Path

import numpy as np

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.evaluate.conditions import AS_RECORDED
from kwsd.training.evaluate.curve import Point
from kwsd.training.evaluate.streams import Negative, Positive, place

LOUD = Path(__file__).parent / "loud.pt"  # a model whose keyword is loudness


def burst(level: float, seconds: float = 0.5) -> np.ndarray:
    """Noise in the middle of a second of silence."""
    samples = np.zeros(SAMPLE_RATE)
    length = int(seconds * SAMPLE_RATE)
    start = (SAMPLE_RATE - length) // 2
    samples[start : start + length] = level * np.random.default_rng(0).standard_normal(length)
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def placed(level: float) -> Positive:
    return place(burst(level), [], AS_RECORDED, np.random.default_rng(0))


def negative(*parts: np.ndarray) -> Negative:
    return Negative(parts, AS_RECORDED, np.random.default_rng(0))


def at(points: list[Point], threshold: float) -> Point:
    return next(point for point in points if point.threshold == threshold)


POINTS = [  # threshold, missed of ten, false alarms in two hours, median latency
    (0.3, 0, 3, 0.1),
    (0.5, 1, 2, 0.3),
    (0.7, 1, 1, 0.2),
    (0.9, 4, 0, 0.1),
]


def points_of(*rows: tuple[float, int, int, float]) -> list[Point]:
    return [
        Point(t, 10, missed, alarms, 2.0, [latency] * (10 - missed)) for t, missed, alarms, latency in rows
    ]
