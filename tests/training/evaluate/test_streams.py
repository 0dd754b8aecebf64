"""Judging on streams: hits, misses and false alarms are those of the detector itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from kwsd.cli.commands import cli
from kwsd.errors import KwsdError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model
from kwsd.runtime.spotter import Step
from kwsd.runtime.verifier import Verifier, shapes
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.reverb import random_room, reverberated
from kwsd.training.evaluate import streams as field
from kwsd.training.evaluate.conditions import Surroundings, frame_powers, snr_gain
from kwsd.training.evaluate.streams import FirstTrigger, Point, curve, frr_at, place, stretches
from kwsd.training.evaluate.tuning import allowed, settings_to_try, tune
from kwsd.training.release.modelfile import write_settings

LOUD = Path(__file__).parents[2] / "loud.pt"
QUIET = Surroundings([], None, [])


@pytest.fixture
def model() -> Model:
    return read_model(LOUD)


def burst(level: float, seconds: float = 0.5) -> np.ndarray:
    """Noise in the middle of a second of silence."""
    samples = np.zeros(SAMPLE_RATE)
    length = int(seconds * SAMPLE_RATE)
    start = (SAMPLE_RATE - length) // 2
    samples[start : start + length] = level * np.random.default_rng(0).standard_normal(length)
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def placed(level: float) -> field.Positive:
    return place(burst(level), [], QUIET, np.random.default_rng(0))


def at(points: list[Point], threshold: float) -> Point:
    return next(point for point in points if point.threshold == threshold)


def test_hits_misses_and_false_alarms_are_told_apart(model: Model) -> None:
    silence = np.zeros(SAMPLE_RATE, np.int16)
    negative = np.concatenate((silence, burst(0.2), silence, silence, burst(0.2), silence))
    point = at(curve(model, [placed(0.2), placed(1e-4)], [negative]), 0.5)
    assert (point.positives, point.missed, point.false_alarms) == (2, 1, 2)
    assert point.fa_per_hour == pytest.approx(2 / (len(negative) / SAMPLE_RATE / 3600))
    assert point.frr == 0.5


def test_a_trigger_before_the_word_is_no_hit(model: Model) -> None:
    positive = placed(0.2)
    early = field.Positive(positive.audio, positive.start + 5, positive.end + 5)
    assert at(curve(model, [early], [np.zeros(SAMPLE_RATE, np.int16)]), 0.5).missed == 1


def test_latency_counts_from_the_words_end(model: Model) -> None:
    positive = placed(0.2)
    detector = Detector(model, model.settings.override(threshold=0.5))
    detector.warm_up()
    [trigger] = detector.feed(positive.audio)
    [latency] = at(curve(model, [positive], []), 0.5).latencies
    assert latency == pytest.approx(trigger.stream_time - positive.end)
    assert positive.start < positive.end < positive.start + 1


@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("verified", [False, True])
def test_every_threshold_is_as_the_detector_alone_has_it(
    model: Model, patience: int, verified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if verified:  # by loudness, which grows as the word goes on
        model = replace(
            model, verifier={name: np.zeros(shape, np.float32) for name, shape in shapes(1).items()}
        )
        monkeypatch.setattr(Verifier, "log_odds", lambda _, audio: float(np.log(audio.std()) + 4))
    random = np.random.default_rng(0)
    context = [np.concatenate([burst(level) for level in (0.001, 0.2, 0.004)])]  # it may fire in the context
    positives = [place(burst(level), context, QUIET, random) for level in (0.001, 0.004, 0.02, 0.2) * 2]
    negatives = [np.concatenate([burst(level) for level in (0.002, 0.1, 0.01, 0.1)])]
    for point in curve(model, positives, negatives, {"patience": patience}):
        detector = Detector(model, model.settings.override(threshold=point.threshold, patience=patience))
        latencies, false_alarms = [], 0
        for positive in positives:
            detector.warm_up()
            times = [trigger.stream_time for trigger in detector.feed(positive.audio)]
            hits = [t for t in times if positive.start <= t <= positive.end + field.GRACE]
            latencies += [hits[0] - positive.end] if hits else []
        for negative in negatives:
            detector.warm_up()
            false_alarms += len(detector.feed(negative))
        assert (point.latencies, point.false_alarms) == (latencies, false_alarms)


def test_processes_change_nothing(model: Model) -> None:
    streams = [placed(level) for level in (0.2, 0.05, 0.01, 0.001)]
    negatives = [burst(0.05), burst(0.002)]
    assert curve(model, streams, negatives, jobs=2) == curve(model, streams, negatives)


def test_stretches_lose_no_sample() -> None:
    recordings = [np.full(n, i, np.int16) for i, n in enumerate((10, field.STRETCH, 5, 7))]
    cut = stretches(recordings)
    assert np.array_equal(
        np.concatenate([np.concatenate(group) for group in cut]), np.concatenate(recordings)
    )
    assert [sum(map(len, group)) for group in cut] == [10 + field.STRETCH, 12]


def test_noise_has_the_level_asked_for() -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(-3000, 3000, SAMPLE_RATE * 8).astype(np.int16)]
    word = burst(0.1, seconds=0.9)
    loud, soft = (
        place(word, [], Surroundings(noise, snr, []), random).audio[:SAMPLE_RATE] for snr in (0, 20)
    )
    ratio = 20 * np.log10(loud.astype(float).std() / soft.astype(float).std())
    assert ratio == pytest.approx(20, abs=0.5)


def test_a_room_keeps_level_length_and_time() -> None:
    random = np.random.default_rng(0)
    audio = burst(0.2).astype(np.float32)
    wet = reverberated(audio, random_room(random, Augmentation()))
    assert wet.shape == audio.shape
    assert np.sqrt((wet**2).mean()) == pytest.approx(np.sqrt((audio**2).mean()), rel=1e-3)
    start = np.flatnonzero(audio)[0]
    assert np.abs(wet[:start]).max() < 1e-3 * np.abs(wet).max()


def test_tuning_finds_settings_within_the_false_alarms_allowed(model: Model, tmp_path: Path) -> None:
    positives = [placed(level) for level in (0.1, 0.2, 0.3)]
    negatives = [burst(0.002)] * 3
    settings, point = tune(model, positives, negatives, settings_to_try(model), 0.0, 1, lambda *_: None)
    assert point.missed == 0
    assert point.false_alarms == 0
    out = tmp_path / "tuned.pt"
    write_settings(LOUD, settings, out)
    tuned = read_model(out)
    assert tuned.settings == settings
    assert all(np.array_equal(tuned.weights[name], weight) for name, weight in model.weights.items())


def test_with_a_verifier_only_steps_are_tried_and_with_synthetic_voices_the_closer_one(model: Model) -> None:
    verified = replace(model, verifier={"mel": np.zeros(1, np.float32)})
    step = model.settings.step
    assert settings_to_try(verified) == [{"step": step}, {"step": step - 2}]
    assert settings_to_try(verified, synthetic=True) == [{"step": step - 2}]


def test_tuning_is_as_quiet_as_it_can_be_where_that_is_not_quiet_enough(model: Model) -> None:
    _, point = tune(model, [placed(0.01)], [burst(0.5)], settings_to_try(model), 0.0, 1, lambda *_: None)
    assert (point.missed, point.false_alarms) == (0, 1)


def test_the_tune_command_then_writes_nothing(tmp_path: Path) -> None:
    command = ["tune", "--model", str(LOUD), "--fa-per-hour", "1", "--out", str(tmp_path / "tuned.pt")]
    for option, level in (("--positives", 0.01), ("--negatives", 0.5)):
        folder = tmp_path / option
        folder.mkdir()
        soundfile.write(folder / "a.wav", burst(level), SAMPLE_RATE)
        command += [option, str(folder)]
    with pytest.raises(KwsdError, match=r"at 1 false alarms an hour; allow 3.6e\+03"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert not (tmp_path / "tuned.pt").exists()


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
    point = at(curve(model, [field.Positive(positive.audio, time + start, time + end)], []), 0.5)
    assert (point.missed, point.latencies) == ((0, [pytest.approx(-end)]) if hit else (1, []))


def test_a_word_stands_after_three_seconds_and_before_one_and_a_half() -> None:
    clip = burst(0.2)
    context = [np.full(SAMPLE_RATE, 1_000, np.int16)]
    positive = place(clip, context, QUIET, np.random.default_rng(0))
    assert len(positive.audio) == 5.5 * SAMPLE_RATE
    assert (positive.start, positive.end) == (3.0, pytest.approx(3.75, abs=0.05))
    assert np.array_equal(positive.audio[3 * SAMPLE_RATE : 4 * SAMPLE_RATE], clip)
    assert (positive.audio[:46_000] == 1_000).all()
    assert abs(positive.audio[3 * SAMPLE_RATE - 1]) < 10  # faded out
    assert not positive.audio[4 * SAMPLE_RATE :].any()


def test_a_verified_model_fires_where_both_stages_reach_the_threshold(model: Model) -> None:
    steps = [Step(t, 0.9, True, None, v) for t, v in ((1.0, None), (1.1, 0.3), (1.2, 0.6), (1.3, 0.9))]
    settings = replace(model.settings, threshold=0.6, release=0.1)
    for threshold, time in ((0.6, 1.2), (0.95, None)):
        first = FirstTrigger(replace(settings, threshold=threshold), verified=True)
        for step in steps:
            first.push(step)
        assert first.time == time


@pytest.mark.parametrize(("snr", "level"), [(20, 100), (0, 1_000), (-6.0206, 2_000)])
def test_noise_is_mixed_in_under_the_words_and_not_the_pauses(snr: float, level: float) -> None:
    speech = np.zeros(SAMPLE_RATE, np.int16)
    speech[: SAMPLE_RATE // 2] = 1_000
    noise = np.tile(np.array([100, -100], np.float32), SAMPLE_RATE // 2)
    gain = snr_gain(frame_powers(speech), float((noise**2).mean()), snr)
    assert np.abs(gain * noise).max() == pytest.approx(level, rel=1e-3)


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


@pytest.mark.parametrize(("allowed_per_hour", "threshold"), [(1.5, 0.3), (1.0, 0.7), (0.5, 0.7), (0.0, 0.9)])
def test_tuning_takes_the_fewest_misses_within_the_false_alarms_and_of_equals_the_quickest(
    model: Model, monkeypatch: pytest.MonkeyPatch, allowed_per_hour: float, threshold: float
) -> None:
    monkeypatch.setattr("kwsd.training.evaluate.tuning.curve", lambda *_: points_of(*POINTS))
    settings, point = tune(model, [], [], [{"patience": 2}], allowed_per_hour, 1, lambda *_: None)
    assert (settings.threshold, point.threshold, settings.patience) == (threshold, threshold, 2)
    assert settings.release == min(threshold, model.settings.release)


def test_tuning_never_takes_a_threshold_that_hears_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kwsd.training.evaluate.tuning.curve", lambda *_: points_of((0.5, 1, 9, 0.1), (0.9, 10, 0, 0.0))
    )
    assert tune(model, [], [], [{}], 0.0, 1, lambda *_: None)[1].threshold == 0.5
    monkeypatch.setattr("kwsd.training.evaluate.tuning.curve", lambda *_: points_of((0.9, 10, 0, 0.0)))
    with pytest.raises(KwsdError, match="no threshold hears the keyword"):
        tune(model, [], [], [{}], 0.0, 1, lambda *_: None)


@pytest.mark.parametrize(
    ("per_hour", "hours", "count"),
    [(0.5, 2.0, 1), (0.5, 0.9, 0), (0.5, 1.1, 1), (0.5, 10.0, 5), (0.0, 9.0, 0)],
)
def test_false_alarms_allowed_are_those_expected(per_hour: float, hours: float, count: int) -> None:
    assert allowed(per_hour, hours) == count


def test_windows_steps_and_patience_are_tried(model: Model) -> None:
    own = model.settings
    choices = settings_to_try(model)
    assert {choice["window"] for choice in choices} == {own.window, own.window * 3 // 4}
    assert {choice["step"] for choice in choices} == {own.step, own.step - 2}
    assert {choice["patience"] for choice in choices} == {1, 2, 3}
    assert len(choices) == 12


def test_the_best_point_is_the_one_that_misses_least_within_the_false_alarms() -> None:
    points = points_of(*POINTS)
    assert [frr_at(points, fa) for fa in (1.5, 1.0, 0.4, 0.0)] == [points[0], points[1], points[3], points[3]]
    assert frr_at(points[:1], 0.5) is None


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
