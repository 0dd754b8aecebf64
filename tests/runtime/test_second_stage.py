"""The second stage: when it is awake, what it scores, and what follows."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verifiers import weights

from kwsd.pcm import SAMPLE_RATE, to_int16
from kwsd.runtime.detector import Detector
from kwsd.runtime.embedding import STRIDE_SAMPLES
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.second_stage import SecondStage
from kwsd.runtime.spotter import Step


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    sound = np.random.default_rng(seed).normal(0, 0.2, round(seconds * SAMPLE_RATE))
    return sound.clip(-1, 1).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


SAID = np.concatenate((quiet(1), noise(0.5), quiet(1.5), noise(0.5, 1), quiet(1)))


@pytest.fixture
def verified(loudness: Model) -> Model:
    """Hears loudness, with a verifier that answers by chance."""
    return dataclasses.replace(loudness, verifier=weights())


def scored_at(steps: list[Step]) -> list[float]:
    return [step.time for step in steps if step.verified is not None]


def scores(steps: list[Step]) -> list[float]:
    return [step.verified for step in steps if step.verified is not None]


def test_what_it_is_sure_of_triggers_with_its_posterior(verified: Model) -> None:
    sure = dataclasses.replace(verified, verifier=weights(bias=40, scale=0.1))
    triggers = Detector(sure).feed(SAID)
    assert len(triggers) == 2
    assert all(0.999 < t.posterior < 1 for t in triggers)
    settings = sure.settings.override(threshold=sure.settings.candidate_threshold)
    alone = Detector(dataclasses.replace(sure, verifier=None), settings).feed(SAID)
    assert [t.stream_time for t in triggers] == [t.stream_time for t in alone]


def test_what_it_rejects_never_triggers_and_it_sleeps_again(verified: Model) -> None:
    unsure = dataclasses.replace(verified, verifier=weights(bias=-40, scale=0.1))
    steps = list(Detector(unsure).steps(SAID))
    assert not any(step.trigger for step in steps)
    assert all(step.warm for step in steps[3:])  # nothing reset the engine
    high = [step.time for step in steps if step.posterior >= unsure.settings.candidate_threshold]
    times = scored_at(steps)
    assert min(times) >= min(high)
    assert max(times) <= max(high) + 0.6 + 1e-9
    assert not any(1.9 + 0.6 < time < 3.0 for time in times)  # between the two sounds
    assert not any(step.pending for step in steps)


def test_it_is_awake_in_what_stands_out_only(verified: Model) -> None:
    """Steady noise that holds the posterior above the candidate threshold lets it sleep after a while."""
    unsure = dataclasses.replace(verified, verifier=weights(bias=-40, scale=0.1))
    steps = list(Detector(unsure).steps(np.concatenate((quiet(2), noise(12)))))
    assert all(step.posterior > 0.5 for step in steps if step.time > 3)
    times = scored_at(steps)
    assert 2 <= min(times) < 2.2
    assert 2.6 < max(times) < 12


class Heard:
    """In place of both the heads and the embeddings: log-odds of given embeddings, 0 by default."""

    def __init__(self, odds: dict[int, float] | None = None) -> None:
        self.odds = odds or {}
        self.read_ranges: list[tuple[int, int]] = []

    def ended(self, position: int) -> int:
        return position // STRIDE_SAMPLES

    def read(self, first: int, stop: int) -> np.ndarray:
        self.read_ranges.append((first, stop))
        return np.array([self.odds.get(number, 0.0) for number in range(first, stop)])

    def reset(self) -> None:
        """It keeps nothing."""


SETTINGS = Settings(step=8, candidate_threshold=0.5, threshold=0.9)


def second_stage(heard: Heard, settings: Settings = SETTINGS) -> SecondStage:
    stage = SecondStage(weights(), heard, settings)  # type: ignore[arg-type]
    stage._heads = heard  # type: ignore[assignment]
    return stage


def run(stage: SecondStage, posteriors: dict[int, float], steps: int, step: int = 8) -> dict[int, float]:
    """The scores by step. posteriors: of the first stage by step, 0 by default."""
    found = {}
    for number in range(1, steps + 1):
        position = number * step * HOP
        score = stage.score(position, posteriors.get(number, 0.0), position / SAMPLE_RATE, warm=True)
        if score is not None:
            found[number] = score
    return found


def test_it_scores_each_embedding_from_160_ms_before_a_candidate_until_600_ms_after() -> None:
    heard = Heard()
    found = run(second_stage(heard), {20: 0.6, 40: 0.6, 43: 0.6}, 60)
    # a step has 80 ms here, and so has an embedding; number n ends at step n + 1
    assert list(found) == [*range(20, 28), *range(40, 51)]
    scored = [number for first, stop in heard.read_ranges for number in range(first, stop)]
    assert scored == [*range(17, 27), *range(37, 50)]


@given(step=st.integers(1, 30), candidates=st.sets(st.integers(1, 100), min_size=1, max_size=6))
def test_while_awake_each_embedding_is_scored_once(step: int, candidates: set[int]) -> None:
    heard = Heard()
    run(second_stage(heard, SETTINGS.override(step=step)), dict.fromkeys(candidates, 0.9), 110, step)
    expected: set[int] = set()
    for number in candidates:
        last = min(number + 60 // step, 110)  # the last step that is awake
        expected.update(range((number - 1) * step // 8 - 2, last * step // 8))
    scored = [number for first, stop in heard.read_ranges for number in range(first, stop)]
    assert scored == sorted(expected)


def test_the_highest_score_since_the_last_step_counts() -> None:
    """A step of 0.32 s has four embeddings."""
    settings = SETTINGS.override(step=32)
    found = run(second_stage(Heard({20: 3.0}), settings), {5: 0.5}, 7, step=32)
    assert found == {5: 0.5, 6: pytest.approx(0.880797, rel=1e-5)}  # awake for 0.6 s


def test_a_step_of_seconds_scores_the_last_of_it() -> None:
    heard = Heard()
    run(second_stage(heard, SETTINGS.override(step=500)), {2: 0.9}, 3, step=500)
    assert heard.read_ranges == [(125 - 8, 125)]


@pytest.mark.parametrize(
    ("posterior", "second", "both"),
    [
        (0.5, 0.0, 0.5),
        (0.5, 3.0, 0.880797),  # log-odds 2/3 of 3
        (0.952574, 0.0, 0.731059),  # 1/3 of 3
        (0.952574, 3.0, 0.952574),
        (0.952574, -3.0, 0.268941),  # 1/3 of 3 - 2/3 of 3
        (1.0, -30.0, 2.06115e-7),  # a posterior of 1 counts as 1 - 1e-6: log-odds 13.8
        (0.5, 100.0, 1 - 9.358e-14),
        (0.5, -np.inf, 9.358e-14),  # log-odds of 30 at most, either way: never quite 0 or 1
        (0.5, np.nan, 9.358e-14),
    ],
)
def test_both_stages_together_in_plain_numbers(posterior: float, second: float, both: float) -> None:
    score = run(second_stage(Heard(dict.fromkeys((17, 18, 19), second))), {20: posterior}, 20)[20]
    assert score == pytest.approx(both, rel=1e-2 if both < 1e-3 else 1e-6, abs=0)
    assert 0 < score < 1


def test_the_highest_posterior_of_the_last_600_ms_counts() -> None:
    found = run(second_stage(Heard()), {20: 0.952574, 25: 0.5}, 40)
    assert {step for step, score in found.items() if score > 0.6} == set(range(20, 28))
    assert found[28] == pytest.approx(0.5)
    assert max(found) == 32


@pytest.mark.parametrize(("first", "wakes"), [(22, 34), (40, 41)])
def test_after_a_trigger_it_sleeps_for_the_refractory_time_and_through_the_word(
    first: int, wakes: int
) -> None:
    """1 s after the trigger is 12.5 steps. first: step at which the posterior is low for the first time."""
    stage = second_stage(Heard())
    assert list(run(stage, {20: 0.6}, 21)) == [20, 21]
    stage.fire(21 * 0.08)
    later = [
        number
        for number in range(22, 60)
        if stage.score(number * STRIDE_SAMPLES, 0.6 * (number != first), number * 0.08, warm=True) is not None
    ]
    assert min(later) == wakes


def test_a_word_may_still_fire_while_its_last_score_is_a_candidates() -> None:
    stage = second_stage(Heard({22: -3.0, 23: 3.0}), SETTINGS)
    pending = []
    for number in range(1, 40):
        stage.score(number * STRIDE_SAMPLES, 0.6 if number == 20 else 0.0, number * 0.08, warm=True)
        if stage.pending:
            pending.append(number)
    assert pending == [20, 21, 22, 24, 25, 26, 27]


@settings(max_examples=15)
@given(sizes=st.lists(st.integers(0, 20_000), min_size=1, max_size=5).filter(any), bias=st.floats(-2, 2))
def test_any_chunking_gives_the_same_scores(loudness: Model, sizes: list[int], bias: float) -> None:
    model = dataclasses.replace(loudness, verifier=weights(bias))
    expected = list(Detector(model).steps(SAID))
    assert scored_at(expected)
    detector, steps, start = Detector(model), [], 0
    while start < len(SAID):
        for size in sizes:
            steps += detector.steps(SAID[start : start + size])
            start += size
    assert scored_at(steps) == scored_at(expected)
    np.testing.assert_allclose(scores(steps), scores(expected), atol=1e-4)


def test_a_gap_ends_a_candidate_and_what_was_heard(verified: Model) -> None:
    unsure = dataclasses.replace(verified, verifier=weights(bias=-40, scale=0.1))
    whole = list(Detector(unsure).steps(SAID))
    cut = round(scored_at(whole)[0] * SAMPLE_RATE) + HOP
    detector = Detector(unsure)
    assert len(scored_at(list(detector.steps(SAID[:cut])))) == 1
    detector.gap(0.1)
    assert scored_at(list(detector.steps(quiet(0.6)))) == []


def test_after_a_gap_or_a_reset_it_hears_as_in_a_new_stream(verified: Model) -> None:
    detector = Detector(verified)
    first = list(detector.steps(SAID))
    assert len(scored_at(first)) >= 4
    for other in (
        noise(0.4, 7),
        np.concatenate((quiet(1), noise(0.2, 7))),
    ):  # the latter scored at the same time
        detector.reset()
        detector.feed(other)
        detector.reset()
        assert list(detector.steps(SAID)) == first
    detector.reset()
    detector.feed(quiet(0.4))
    detector.gap(2.0)
    again = list(detector.steps(SAID))
    np.testing.assert_allclose([s.time - 2.4 for s in again], [s.time for s in first], atol=1e-9)
    assert scores(again) == scores(first)


def test_a_threshold_is_reached_by_what_is_as_high(verified: Model) -> None:
    undecided = dataclasses.replace(verified, verifier=weights(scale=0))
    steps = list(Detector(undecided, undecided.settings.override(threshold=1)).steps(SAID))
    highest = max(scores(steps))
    triggers = Detector(undecided, undecided.settings.override(threshold=highest)).feed(SAID)
    assert triggers[0].posterior == highest
    above = undecided.settings.override(threshold=float(np.nextafter(highest, 1)))
    assert Detector(undecided, above).feed(SAID) == []


@pytest.mark.parametrize("level", [0.001, 1])
def test_any_candidate_threshold_can_be_set(verified: Model, level: float) -> None:
    Detector(verified, verified.settings.override(candidate_threshold=level)).feed(quiet(1))


def test_what_it_makes_of_silence_and_of_the_loudest_sound_is_finite(verified: Model) -> None:
    for loud in (quiet(1), np.full(SAMPLE_RATE, 1e4, np.float32), np.full(SAMPLE_RATE, np.inf, np.float32)):
        found = scores(list(Detector(verified).steps(np.concatenate((SAID, loud, SAID)))))
        assert found
        assert np.all(np.isfinite(found))


@pytest.mark.parametrize("scale", [1e6, 1e15, 1e30])
def test_weights_whose_products_overflow_never_trigger_and_warn_of_nothing(
    verified: Model, scale: float
) -> None:
    huge = {name: np.sign(weight) * np.float32(scale) for name, weight in weights().items()}
    steps = list(Detector(dataclasses.replace(verified, verifier=huge)).steps(SAID))
    found = scores(steps)
    assert found
    assert max(found) < 1e-6
    assert not any(step.trigger for step in steps)


@pytest.mark.parametrize("level", [-50, -30, 0, 12])
def test_a_word_is_heard_from_50_db_below_full_scale_to_clipping(recordings: Path, level: int) -> None:
    """level: of the loudest sample, in dBFS before clipping."""
    soundfile = pytest.importorskip("soundfile")
    folder = recordings / "speech_commands_v0.01" / "happy"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    heard = 0
    for path in sorted(folder.glob("*_nohash_0*"))[:10]:
        clip = soundfile.read(path, dtype="float32")[0]
        louder = np.concatenate((clip, quiet(0.5))) * 10 ** (level / 20) / np.abs(clip).max()
        detector = Detector.load("happy", candidate_threshold=0.02)
        detector.warm_up()
        heard += len(detector.feed(to_int16(louder)))
    assert heard >= 9
