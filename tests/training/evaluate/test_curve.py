"""Points of the curve: hits, misses and false alarms are those of the detector itself."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation import POINTS, at, burst, negative, placed, points_of

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.embedding import EmbeddingStream
from kwsd.runtime.model import Model
from kwsd.runtime.verifier import Heads, shapes
from kwsd.training.evaluate.conditions import (
    AS_RECORDED,
)
from kwsd.training.evaluate.curve import HIT_SECONDS, Point, curve, lowest_frr
from kwsd.training.evaluate.streams import Positive, place


def test_hits_misses_and_false_alarms_are_told_apart(model: Model) -> None:
    silence = np.zeros(SAMPLE_RATE, np.int16)
    stream = negative(silence, burst(0.2), silence, silence, burst(0.2), silence)
    point = at(curve(model, [placed(0.2), placed(1e-4)], [stream]), 0.5)
    assert (point.positives, point.missed, point.false_alarms) == (2, 1, 2)
    assert point.fa_per_hour == pytest.approx(2 / (len(stream) / SAMPLE_RATE / 3600))
    assert point.frr == 0.5


def test_a_trigger_before_the_word_is_no_hit(model: Model) -> None:
    positive = placed(0.2)
    early = Positive(positive.audio, positive.start + 5, positive.end + 5)
    assert at(curve(model, [early], []), 0.5).missed == 1


def test_latency_counts_from_the_words_end(model: Model) -> None:
    positive = placed(0.2)
    detector = Detector(model, model.settings.override(threshold=0.5))
    detector.warm_up()
    [trigger] = detector.feed(positive.audio)
    [latency] = at(curve(model, [positive], []), 0.5).latencies
    assert latency == pytest.approx(trigger.stream_time - positive.end)
    assert positive.start < positive.end < positive.start + 1


def powers(embeddings: EmbeddingStream, first: int, stop: int) -> np.ndarray:
    """In place of embeddings, the power of each of their 80 ms."""
    history = embeddings._history
    samples = history.read(history.start + first * 1_280, history.start + stop * 1_280)
    return np.square(samples).reshape(stop - first, -1).mean(axis=1)


def mean_of_ten(numbers: np.ndarray) -> np.ndarray:
    return np.convolve(numbers, np.full(10, 0.1), "valid")


@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("verified", [False, True])
def test_every_threshold_is_as_the_detector_alone_has_it(
    model: Model, patience: int, verified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verified:  # by loudness, which grows as the word goes on
        model = replace(
            model, verifier={name: np.zeros(shape, np.float32) for name, shape in shapes(1).items()}
        )
        monkeypatch.setattr(EmbeddingStream, "read", powers)
        monkeypatch.setattr(Heads, "log_odds", lambda _, powers: mean_of_ten(np.log(powers + 1e-9)) / 2 + 4)
    random = np.random.default_rng(0)
    context = [np.concatenate([burst(level) for level in (0.001, 0.2, 0.004)])]  # it may fire in the context
    positives = [place(burst(level), context, AS_RECORDED, random) for level in (0.001, 0.004, 0.02, 0.2) * 2]
    audio = np.concatenate([burst(level) for level in (0.002, 0.1, 0.01, 0.1)])
    for point in curve(model, positives, [negative(audio)], model.settings.override(patience=patience)):
        detector = Detector(model, model.settings.override(threshold=point.threshold, patience=patience))
        latencies = []
        for positive in positives:
            detector.warm_up()
            times = [trigger.stream_time for trigger in detector.feed(positive.audio)]
            hits = [t for t in times if positive.start <= t <= positive.end + HIT_SECONDS]
            latencies += [hits[0] - positive.end] if hits else []
        detector.warm_up()
        assert (point.latencies, point.false_alarms) == (latencies, len(detector.feed(audio)))


def test_processes_change_nothing(model: Model) -> None:
    streams = [placed(level) for level in (0.2, 0.05, 0.01, 0.001)]
    negatives = [negative(burst(0.05)), negative(burst(0.002))]
    assert curve(model, streams, negatives, jobs=2) == curve(model, streams, negatives)


@pytest.mark.parametrize(
    ("start", "end", "hit"),
    [(-0.5, -0.95, True), (-0.5, -1.05, False), (-0.01, 0.5, True), (0.01, 0.5, False)],
    ids=["just in time", "a second late", "at the word's beginning", "before it"],
)
def test_a_hit_is_from_the_words_beginning_to_a_second_past_its_end(
    model: Model, start: float, end: float, hit: bool
) -> None:
    """start, end: of the word, in seconds from the trigger on."""
    positive = placed(0.2)
    detector = Detector(model, model.settings.override(threshold=0.5))
    detector.warm_up()
    [trigger] = detector.feed(positive.audio)
    time = trigger.stream_time
    point = at(curve(model, [Positive(positive.audio, time + start, time + end)], []), 0.5)
    assert (point.missed, point.latencies) == ((0, [pytest.approx(-end)]) if hit else (1, []))


def test_the_best_point_is_the_one_that_misses_least_within_the_false_alarms() -> None:
    points = points_of(*POINTS)
    assert [lowest_frr(points, fa) for fa in (1.5, 1.0, 0.4, 0.0)] == [
        points[0],
        points[1],
        points[3],
        points[3],
    ]
    assert lowest_frr(points[:1], 0.5) is None


def test_a_point_in_numbers() -> None:
    [point] = points_of((0.5, 2, 3, 0.25))
    row = point.record()
    assert (row["frr"], row["fa_per_hour"], row["latency_ms_p50"], row["latency_ms_p95"]) == (
        0.2,
        1.5,
        250,
        250,
    )
    assert row["frr_95"] == pytest.approx((0.0567, 0.5098), abs=1e-4)  # Wilson, 2 of 10
    assert row["fa_per_hour_95"] == pytest.approx((0.3093, 4.3837), abs=1e-4)  # Garwood, 3 in 2 hours


def test_latencies_are_the_median_and_the_one_that_19_of_20_keep() -> None:
    row = Point(0.5, 21, 0, 0, 2.0, [number / 20 for number in range(21)]).record()
    assert (row["latency_ms_p50"], row["latency_ms_p95"]) == (500, 950)
    row = Point(0.5, 2, 2, 0, 2.0, []).record()
    assert (row["latency_ms_p50"], row["latency_ms_p95"], row["frr"]) == (None, None, 1)
