"""Judging on streams: hits, misses and false alarms are those of the detector itself."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from kwsd.cli import cli
from kwsd.errors import KwsdError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model
from kwsd.runtime.verifier import Verifier, shapes

pytest.importorskip("torch")
pytest.importorskip("scipy")

from kwsd.training import field
from kwsd.training.field import Point, Surroundings, curve, place, stretches
from kwsd.training.rooms import random_room, reverberated
from kwsd.training.tuning import settings_to_try, tune, write_settings

LOUD = Path(__file__).parent.parent / "loud.pt"
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
    detector = Detector(model, threshold=0.5)
    detector.prime()
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
        detector = Detector(model, threshold=point.threshold, patience=patience)
        latencies, false_alarms = [], 0
        for positive in positives:
            detector.prime()
            times = [trigger.stream_time for trigger in detector.feed(positive.audio)]
            hits = [t for t in times if positive.start <= t <= positive.end + field.GRACE]
            latencies += [hits[0] - positive.end] if hits else []
        for negative in negatives:
            detector.prime()
            false_alarms += len(detector.feed(negative))
        assert (point.latencies, point.false_alarms) == (latencies, false_alarms)


def test_processes_change_nothing(model: Model) -> None:
    streams = [placed(level) for level in (0.2, 0.05, 0.01, 0.001)]
    negatives = [burst(0.05), burst(0.002)]
    assert curve(model, streams, negatives, jobs=2) == curve(model, streams, negatives)


def test_stretches_lose_no_sample() -> None:
    recordings = [np.full(n, i, np.int16) for i, n in enumerate((10, field.STRETCH, 5, 7))]
    cut = stretches(recordings)
    assert np.array_equal(np.concatenate(cut), np.concatenate(recordings))
    assert [len(stretch) for stretch in cut] == [10 + field.STRETCH, 12]


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
    wet = reverberated(audio, random_room(random))
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
