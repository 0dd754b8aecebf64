import copy
import dataclasses
import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kwsd
from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import HOP, N_FFT
from kwsd.runtime.model import STUDENT, Model
from kwsd.runtime.spotter import Step


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def loud(seconds: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.2, round(seconds * SAMPLE_RATE))
    return noise.clip(-1, 1).astype(np.float32)


def times(detector: Detector, samples: np.ndarray) -> list[float]:
    return [trigger.stream_time for trigger in detector.feed(samples)]


def test_the_public_names() -> None:
    assert kwsd.Detector is Detector
    assert kwsd.Trigger.__name__ == "Trigger"


def test_hears_the_keyword_when_it_is_said(loudness: Model) -> None:
    detector = Detector(loudness)
    triggers = detector.feed(np.concatenate((quiet(1), loud(0.5), quiet(1), loud(0.5), quiet(0.5))))
    assert [trigger.keyword for trigger in triggers] == ["loud", "loud"]
    assert all(trigger.posterior >= 0.9 for trigger in triggers)
    late = [trigger.stream_time - said for trigger, said in zip(triggers, [1.0, 2.5], strict=True)]
    assert 0 < min(late) < max(late) <= 0.25  # a window is 0.2 s


def test_times_are_the_ends_of_the_frames_that_completed_the_steps(loudness: Model) -> None:
    steps = list(Detector(loudness).steps(quiet(1)))
    first = N_FFT + HOP  # the receptive field is two frames
    expected = [(first + 5 * HOP * i) / SAMPLE_RATE for i in range(len(steps))]
    assert [step.time for step in steps] == expected
    needed = first + 5 * HOP * 3
    assert len(list(Detector(loudness).steps(quiet(1)[:needed]))) == 4
    assert len(list(Detector(loudness).steps(quiet(1)[: needed - 1]))) == 3


def test_nothing_triggers_before_the_window_is_warm(loudness: Model) -> None:
    detector = Detector(loudness, loudness.settings.override(window=10))
    steps = list(detector.steps(loud(1)))
    assert [step.warm for step in steps[:10]] == [False] * 9 + [True]
    assert [i for i, step in enumerate(steps) if step.trigger] == [9]


def test_a_trigger_resets_the_engine_and_not_the_time(loudness: Model) -> None:
    steps = list(Detector(loudness).steps(loud(1)))
    heard = next(i for i, step in enumerate(steps) if step.trigger)
    assert [step.warm for step in steps[heard : heard + 5]] == [True, False, False, False, True]
    assert np.diff([step.time for step in steps]).min() > 0
    # the engine begins anew: two frames are its receptive field
    assert steps[heard + 1].time - steps[heard].time == pytest.approx(2 * HOP / SAMPLE_RATE)


def test_a_long_word_is_one_trigger(loudness: Model) -> None:
    assert len(Detector(loudness).feed(loud(5))) == 1


@given(sizes=st.lists(st.integers(0, 20_000), min_size=1, max_size=5).filter(any), seed=st.integers(0, 9))
def test_any_chunking_gives_the_same_steps(loudness: Model, sizes: list[int], seed: int) -> None:
    samples = np.concatenate((quiet(0.5), loud(0.6, seed), quiet(0.7), loud(0.4, seed), quiet(0.3)))
    expected = list(Detector(loudness).steps(samples))
    assert any(step.trigger for step in expected)
    detector = Detector(loudness)
    steps: list[Step] = []
    start = 0
    while start < len(samples):
        for size in sizes:
            steps += detector.steps(samples[start : start + size])
            start += size
    assert [(step.time, step.warm) for step in steps] == [(step.time, step.warm) for step in expected]
    np.testing.assert_allclose(
        [step.posterior for step in steps], [step.posterior for step in expected], atol=1e-6
    )
    assert [bool(step.trigger) for step in steps] == [bool(step.trigger) for step in expected]


def test_feed_gives_the_triggers_of_steps(loudness: Model) -> None:
    samples = np.concatenate((quiet(0.5), loud(0.5), quiet(1), loud(0.5)))
    stepped = [step.trigger for step in Detector(loudness).steps(samples) if step.trigger]
    assert Detector(loudness).feed(samples) == stepped
    assert len(stepped) == 2


def test_int16_is_the_same_sound(loudness: Model) -> None:
    pcm = (np.concatenate((quiet(0.5), loud(0.5))) * 32767).astype(np.int16)
    as_float = (pcm / 32768).astype(np.float32)
    assert Detector(loudness).feed(pcm) == Detector(loudness).feed(as_float) != []


def test_reset_returns_to_the_initial_state(loudness: Model) -> None:
    detector = Detector(loudness)
    samples = np.concatenate((quiet(0.5), loud(0.5)))
    first = list(detector.steps(samples))
    detector.reset()
    assert detector.posterior == 0
    assert list(detector.steps(samples)) == first


@pytest.mark.parametrize("gap", [0.3, 3_600.0])
def test_a_gap_forgets_what_was_heard_and_not_the_time(loudness: Model, gap: float) -> None:
    detector, fresh = Detector(loudness), Detector(loudness)
    before = times(detector, np.concatenate((quiet(0.5), loud(0.3))))
    detector.gap(gap)
    sound = np.concatenate((quiet(0.6), loud(0.3)))
    after = [step.time for step in detector.steps(sound) if step.trigger]
    assert len(before) == 1
    assert after == pytest.approx([time + 0.8 + gap for time in times(fresh, sound)], abs=0.01)


@pytest.mark.parametrize("heard", [0, 100, 5_001])
def test_a_gap_moves_the_stream_time_by_its_length(loudness: Model, heard: int) -> None:
    detector = Detector(loudness)
    detector.feed(quiet(1)[:heard])
    detector.gap(0.3)
    first = next(detector.steps(quiet(1)))
    assert first.time == (heard + 4_800 + N_FFT + HOP) / SAMPLE_RATE  # two frames are the receptive field


def test_a_gap_is_as_a_new_stream_at_a_later_time(loudness: Model) -> None:
    detector, fresh = Detector(loudness), Detector(loudness)
    detector.feed(np.concatenate((quiet(0.5), loud(0.13))))
    assert detector.posterior > 0.5
    detector.gap(1.0)
    assert detector.posterior == 0
    after, expected = list(detector.steps(quiet(1))), list(fresh.steps(quiet(1)))
    assert [(step.posterior, step.warm) for step in after] == [(s.posterior, s.warm) for s in expected]


@pytest.mark.parametrize("heard", [0, 100, 400, 5_001, 8_240])
def test_a_detector_syncs_to_another_at_its_stream_time(loudness: Model, heard: int) -> None:
    other, synced = Detector(loudness), Detector(loudness)
    other.feed(quiet(1)[:heard])
    synced.feed(loud(0.7))  # is forgotten
    synced.sync_to(other)
    assert synced.posterior == 0
    steps, fresh = list(synced.steps(quiet(1))), list(Detector(loudness).steps(quiet(1)))
    assert [step.posterior for step in steps] == [step.posterior for step in fresh]
    assert steps[0].time == (heard + N_FFT + HOP) / SAMPLE_RATE  # two frames are the receptive field


def test_posterior_is_that_of_the_last_step(loudness: Model) -> None:
    detector = Detector(loudness)
    steps = list(detector.steps(np.concatenate((quiet(0.5), loud(0.31)))))
    assert detector.posterior == steps[-1].posterior > 0


def test_warmed_up_hears_a_clip_shorter_than_its_window(loudness: Model) -> None:
    clip = np.concatenate((quiet(0.1), loud(0.5)))
    detector = Detector(loudness, loudness.settings.override(window=15, threshold=0.8))
    assert detector.feed(clip) == []
    detector.warm_up()
    assert detector.posterior < 0.01
    steps = list(detector.steps(clip))
    heard = next(i for i, step in enumerate(steps) if step.trigger)
    assert all(step.warm for step in steps[: heard + 1])
    assert steps[0].time == 5 * HOP / SAMPLE_RATE
    assert 0.1 < steps[heard].time <= 0.6


def test_warmed_up_is_as_if_silence_had_gone_before(
    loudness: Model, random_model: Callable[..., Model]
) -> None:
    for model in (loudness, random_model(STUDENT)):
        kt = model.architecture.kernel[1]
        silence = N_FFT + HOP * (kt - 1 + 5 * (7 - 1))
        clip = loud(1)
        settings = model.settings.override(window=7, step=5, threshold=0.999)
        warmed_up, heard = Detector(model, settings), Detector(model, settings)
        warmed_up.warm_up()
        heard.feed(np.zeros(silence, np.float32))
        after, expected = list(warmed_up.steps(clip)), list(heard.steps(clip))
        np.testing.assert_allclose([s.posterior for s in after], [s.posterior for s in expected], atol=1e-6)
        np.testing.assert_allclose(
            [s.time for s in after], [s.time - silence / SAMPLE_RATE for s in expected], atol=1e-9
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38, -1e30])
def test_bad_samples_do_not_poison_the_state(loudness: Model, bad: float) -> None:
    broken = quiet(0.5)
    broken[1000:1010] = bad
    broken[5000] = bad
    detector = Detector(loudness)
    detector.feed(broken)
    after = np.concatenate((quiet(1), loud(0.5)))
    np.testing.assert_allclose(times(detector, after), [1.7], atol=0.15)
    assert np.isfinite(detector.posterior)


def test_nan_is_silence(loudness: Model) -> None:
    samples = np.concatenate((loud(0.05), quiet(0.5), loud(0.5)))
    broken = np.where(samples == 0, np.float32(np.nan), samples)
    assert Detector(loudness).feed(broken) == Detector(loudness).feed(samples) != []


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(10),
        np.zeros(10, np.int32),
        np.zeros(10, np.uint8),
        np.zeros(10, ">f4"),
        np.zeros((10, 1), np.float32),
        np.zeros((), np.float32),
        [0.0, 0.1],
    ],
    ids=lambda samples: str(np.asarray(samples).dtype) + str(np.shape(samples)),
)
def test_refuses_samples_of_another_kind_before_taking_any(loudness: Model, samples: Any) -> None:
    detector = Detector(loudness)
    with pytest.raises(ValueError, match="1-D float32 or int16"):
        detector.steps(samples)
    with pytest.raises(ValueError, match="1-D float32 or int16"):
        detector.feed(samples)


def test_no_samples_are_no_steps(loudness: Model) -> None:
    assert Detector(loudness).feed(np.empty(0, np.float32)) == []


def test_settings_come_from_the_model_unless_given(loudness: Model) -> None:
    assert Detector(loudness).settings == loudness.settings
    detector = Detector(loudness, loudness.settings.override(window=9, patience=2))
    assert detector.settings == dataclasses.replace(loudness.settings, window=9, patience=2)
    assert detector.keyword == "loud"


def test_release_is_lowered_with_the_threshold(loudness: Model) -> None:
    assert loudness.settings.override(threshold=0.2).release == 0.2
    assert loudness.settings.override(threshold=0.5).release == 0.3
    assert loudness.settings.override(threshold=None, window=9) == loudness.settings.override(window=9)
    with pytest.raises(UsageError, match=r"^release 0\.4 must not be above threshold 0\.2$"):
        loudness.settings.override(threshold=0.2, release=0.4)


@pytest.mark.parametrize(
    "bad",
    [{"window": 0}, {"window": 100_001}, {"window": 2.5}, {"step": 0}, {"step": 1001}, {"threshold": 2}],
    ids=str,
)
def test_refuses_settings_out_of_range(loudness: Model, bad: dict[str, Any]) -> None:
    name = next(iter(bad))
    with pytest.raises(UsageError, match=rf"^{name} must be [^\n]*$"):
        Detector(loudness, loudness.settings.override(**bad))


SAMPLE = Path(__file__).parents[2] / "docs" / "sample.flac"
SAID = [7.56, 13.94]  # seconds into it, when the word has been heard


def test_half_a_second_of_silence_decides_the_last_word() -> None:
    assert FINAL_SILENCE_SAMPLES == 8_000
    samples = pytest.importorskip("soundfile").read(SAMPLE, dtype="float32")[0]
    detector = Detector.load("jarvis")
    assert detector.feed(samples[: round(7.4 * SAMPLE_RATE)]) == []
    assert len(detector.feed(np.zeros(FINAL_SILENCE_SAMPLES, np.float32))) == 1


def test_the_shipped_default_fires_where_the_word_is_said() -> None:
    samples = pytest.importorskip("soundfile").read(SAMPLE, dtype="float32")[0]
    detector = Detector.load("jarvis")
    triggers = detector.feed(np.concatenate((samples, quiet(0.5))))
    assert [trigger.stream_time for trigger in triggers] == pytest.approx(SAID, abs=0.1)
    assert all(trigger.keyword == "jarvis" and trigger.posterior >= 0.99 for trigger in triggers)


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {protocol}": lambda made, protocol=protocol: pickle.loads(pickle.dumps(made, protocol))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("heard", [0.0, 1.23])
def test_a_copy_is_a_detector_of_its_own_at_stream_start(loudness: Model, kind: str, heard: float) -> None:
    original = Detector(loudness, loudness.settings.override(window=3, threshold=0.8))
    sound = np.concatenate((quiet(0.5), loud(0.5), quiet(0.6), loud(0.4), quiet(0.3)))
    expected = list(Detector(loudness, loudness.settings.override(window=3, threshold=0.8)).steps(sound))
    assert sum(step.trigger is not None for step in expected) == 2
    cut = round(heard * SAMPLE_RATE)
    steps = list(original.steps(sound[:cut]))
    made = COPIES[kind](original)
    assert (made.settings, made.keyword) == (original.settings, "loud")
    assert made.posterior == 0
    assert list(made.steps(sound)) == expected
    steps += original.steps(sound[cut:])  # the original goes on, unmoved by its copy
    assert [step.trigger for step in steps] == [step.trigger for step in expected]


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_a_detector_with_a_second_stage_has_one(kind: str) -> None:
    original = Detector.load("jarvis", candidate_threshold=0.4)
    samples = pytest.importorskip("soundfile").read(SAMPLE, dtype="float32")[0][: 9 * SAMPLE_RATE]
    triggers = original.feed(samples)
    assert len(triggers) == 1
    made = COPIES[kind](original)
    assert made.settings.candidate_threshold == made.spotters[0].first_stage_threshold == 0.4
    assert made.feed(samples) == triggers


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_an_engine_is_an_engine(random_model: Callable[..., Model], kind: str) -> None:
    frames = np.random.default_rng(0).normal(-4, 3, (200, 40)).astype(np.float32)
    engine = Engine(random_model(STUDENT), window=5, step=10)
    expected = engine.advance(frames)
    np.testing.assert_array_equal(COPIES[kind](engine).advance(frames), expected)


def test_a_detector_goes_to_another_process(loudness: Model) -> None:
    detector, samples = Detector(loudness), np.concatenate((quiet(0.5), loud(0.5)))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(Detector.feed, (detector, samples))
    assert found == detector.feed(samples) != []


def test_a_detector_goes_through_joblib(loudness: Model) -> None:
    joblib = pytest.importorskip("joblib")
    detector, samples = Detector(loudness), np.concatenate((quiet(0.5), loud(0.5)))
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(Detector.feed)(detector, samples) for _ in range(2))
    assert found == [detector.feed(samples)] * 2
