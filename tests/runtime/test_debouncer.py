import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.debouncer import Candidates, Debouncer
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Settings

# stretches of a posterior, warm or not, for some steps
STRETCHES = st.tuples(
    st.sampled_from([0.0, 0.29, 0.3, 0.79, 0.8, 1.0]),
    st.sampled_from([True, True, True, False]),
    st.integers(1, 4),
)
THRESHOLD, RELEASE = 0.8, 0.3


def settings(threshold: float, patience: int, release: float, refractory: float) -> Settings:
    return Settings(threshold=threshold, patience=patience, release=release, refractory=refractory)


def firings(debouncer: Debouncer, steps: list[tuple[float, bool]]) -> list[int]:
    """Which steps fire, at eight a second: times that floats hold exactly."""
    return [i for i, (posterior, warm) in enumerate(steps) if debouncer.push(posterior, i / 8, warm)]


@given(
    stretches=st.lists(STRETCHES, min_size=10, max_size=40),
    patience=st.integers(1, 4),
    refractory=st.sampled_from([0.0, 0.25, 1.0]),
)
def test_fires_exactly_when_it_should(
    stretches: list[tuple[float, bool, int]], patience: int, refractory: float
) -> None:
    steps = [(posterior, warm) for posterior, warm, count in stretches for _ in range(count)]
    expected: list[int] = []
    for i in range(len(steps)):
        held = i + 1 >= patience and all(
            posterior >= THRESHOLD and warm for posterior, warm in steps[i + 1 - patience : i + 1]
        )
        if expected:
            released = any(posterior < RELEASE for posterior, _ in steps[expected[-1] + 1 : i])
            held = held and released and (i - expected[-1]) / 8 >= refractory
        if held:
            expected.append(i)
    debouncer = Debouncer(settings(THRESHOLD, patience, RELEASE, refractory))
    assert firings(debouncer, steps) == expected
    debouncer.reset()
    assert firings(debouncer, steps) == expected


def test_fires_once_for_each_time_the_posterior_rises_and_falls() -> None:
    hump = [0.1, 0.5, 0.85, 0.95, 0.7, 0.9, 0.4, 0.2]  # wavers, but is one word
    steps = [(posterior, True) for posterior in hump * 3]
    assert firings(Debouncer(settings(0.8, 1, 0.3, 0.0)), steps) == [2, 10, 18]


@pytest.mark.parametrize(("refractory", "fired"), [(1.0, [2, 10, 18]), (1.25, [2, 13]), (3.0, [2])])
def test_fires_again_only_after_the_refractory_time(refractory: float, fired: list[int]) -> None:
    hump = [0.1, 0.5, 0.85, 0.95, 0.7, 0.9, 0.4, 0.2]  # of a second
    steps = [(posterior, True) for posterior in hump * 3]
    assert firings(Debouncer(settings(0.8, 1, 0.3, refractory)), steps) == fired


def test_is_pending_only_while_it_may_still_fire() -> None:
    debouncer = Debouncer(settings(0.8, 2, 0.3, 0.0))
    pending = []
    for i, posterior in enumerate([0.5, 0.9, 0.9, 0.5, 0.9, 0.2, 0.9]):  # fires at the third
        debouncer.push(posterior, i / 8, True)
        pending.append(debouncer.pending)
    assert pending == [False, True, False, False, False, False, True]


def test_scattered_steps_are_no_word() -> None:
    steps = [(0.9, True), (0.1, True)] * 20
    assert firings(Debouncer(settings(0.8, 2, 0.3, 0.0)), steps) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"threshold": math.nan},
        {"threshold": 0.0},
        {"threshold": 1.01},
        {"patience": 0},
        {"patience": 1.5},
        {"release": math.nan},
        {"release": 0.0},
        {"release": 0.9},
        {"refractory": -0.1},
        {"refractory": math.inf},
        {"refractory": math.nan},
        {"threshold": "high"},
    ],
    ids=str,
)
def test_refuses_what_makes_no_sense(bad: dict[str, Any]) -> None:
    name = next(iter(bad))
    with pytest.raises(UsageError, match=rf"^{name} [^\n]*$"):
        Settings(**{"threshold": 0.8, "patience": 1, "release": 0.3, "refractory": 1.0} | bad)


def candidates(settings: Settings, log_odds: list[float | None]) -> list[int]:
    """Which steps are candidates, given the log-odds of the posteriors; None is a step that is not warm."""
    rule = Candidates(settings)
    step = settings.step * HOP / SAMPLE_RATE
    found = []
    for i, odds in enumerate(log_odds):
        posterior = 1 / (1 + math.exp(-(9.0 if odds is None else odds)))
        if rule.push(posterior, i * step, odds is not None):
            found.append(i)
    return found


ANY = Settings(step=10, candidate_threshold=0.001, patience=1)  # steps of 0.1 s


def test_a_candidate_stands_out_by_log_odds_of_two() -> None:
    assert candidates(ANY, [-4.99]) == [0]  # the mean begins at -7
    assert candidates(ANY, [-5.01]) == []
    assert candidates(ANY, [-12.0] * 200 + [-5.01]) == []  # all below -7 counts as -7
    assert candidates(ANY, [-12.0] * 200 + [-4.99]) == [200]


def test_what_lasts_stands_out_until_the_mean_of_three_seconds_is_too_close() -> None:
    # the mean is -7 exp(-t / 3 s), which is -2 after 3.76 s
    assert candidates(ANY, [0.0] * 80) == [*range(38)]
    assert candidates(ANY, [None] * 80 + [0.0] * 80) == [*range(80, 118)]  # only warm steps are in the mean


def test_a_candidate_reaches_the_candidate_threshold() -> None:
    half = ANY.override(candidate_threshold=0.5)
    assert candidates(half, [-0.01, 0.0, 0.01]) == [1, 2]


def test_a_candidate_needs_its_patience_in_consecutive_warm_steps() -> None:
    patient = ANY.override(patience=3)
    assert candidates(patient, [0.0, 0.0, -9.0, 0.0, 0.0, 0.0, 0.0]) == [5, 6]
    assert candidates(patient, [0.0, 0.0, None, 0.0, 0.0, 0.0, 0.0]) == [5, 6]


@pytest.mark.parametrize(("low", "first"), [(2, 8), (11, 12)])
def test_after_a_trigger_a_candidate_needs_the_refractory_time_and_a_low_step(low: int, first: int) -> None:
    rule = Candidates(ANY.override(refractory=1.0))
    rule.fire(0.0)
    steps = (rule.push(0.001 if i == low else 0.9, i / 8, warm=True) for i in range(20))
    assert [i for i, candidate in enumerate(steps) if candidate] == [*range(first, 20)]
