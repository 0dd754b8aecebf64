"""What is almost a trigger, on steps made up for it: one every 0.1 s."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.daemon.near_misses import NearMiss, NearMisses
from kwsd.runtime.spotter import Step, Trigger

FAR, NEAR, NEARER, TRIGGER = 0.05, 0.2, 0.4, 1.0  # of the threshold 0.5: the tenth of its odds is 0.091


def found(scores: list[float | None], keyword: str = "happy") -> list[tuple[int, NearMiss]]:
    """The near misses of a word, each with the number of the step at which it was certain."""
    finder = NearMisses()
    every = [
        (number, finder.push(step(number, score, keyword), score, 0.5)) for number, score in enumerate(scores)
    ]
    return [(number, near) for number, near in every if near]


def step(number: int, score: float | None, keyword: str = "happy") -> Step:
    time = number / 10
    trigger = Trigger(keyword, TRIGGER, time) if score == TRIGGER else None
    return Step(time, 0.5, True, trigger, score, keyword)


def test_the_best_score_below_the_threshold_is_found_after_a_wait_for_a_better_one() -> None:
    assert found([None, FAR, NEAR, NEARER, NEAR, *[None] * 20]) == [(9, NearMiss("happy", NEARER, 0.3))]


@pytest.mark.parametrize(
    "scores",
    [
        [None] * 20,
        [FAR] * 20,
        [0.09] * 20,  # odds of 0.099 to 1
        [NEAR, NEARER, TRIGGER, NEAR, *[None] * 20],
        [TRIGGER, NEARER, *[None] * 20],
        [NEARER, *[None] * 5, TRIGGER, *[None] * 20],  # at the last moment
    ],
)
def test_far_scores_and_what_triggers_are_no_near_misses(scores: list[float | None]) -> None:
    assert found(scores) == []


def test_a_tenth_of_the_odds_of_the_threshold_is_near() -> None:
    assert found([0.091, *[None] * 10]) == [(6, NearMiss("happy", 0.091, 0.0))]


def test_an_utterance_of_any_length_is_found_once_and_the_next_one_too() -> None:
    lasting = [NEAR] * 40
    assert [number for number, _ in found([*lasting, *[None] * 11, *lasting])] == [6, 57]


def test_of_two_words_the_one_nearer_to_its_own_threshold_is_found() -> None:
    finder = NearMisses()
    assert finder.push(step(0, 0.6, "jarvis"), 0.6, 0.9) is None  # 1.8 log-odds below
    assert finder.push(step(0, 0.4, "alexa"), 0.4, 0.5) is None  # 0.4 below
    assert finder.push(step(6, None, "jarvis"), None, 0.9) == NearMiss("alexa", 0.4, 0.0)


def test_a_word_is_no_near_miss_where_another_one_triggers() -> None:
    finder = NearMisses()
    assert finder.push(step(0, NEAR, "jarvis"), NEAR, 0.5) is None
    assert finder.push(step(5, TRIGGER, "hey jarvis"), TRIGGER, 0.5) is None
    assert finder.push(step(6, NEAR, "jarvis"), NEAR, 0.5) is None
    assert [finder.push(step(number, None, "jarvis"), None, 0.5) for number in range(7, 30)] == [None] * 23


def test_nothing_is_found_across_missing_audio_and_all_at_the_end() -> None:
    finder = NearMisses()
    finder.push(step(0, NEAR), NEAR, 0.5)
    finder.reset()
    assert finder.finish() is None
    finder.push(step(1, NEARER), NEARER, 0.5)
    assert finder.finish() == NearMiss("happy", NEARER, 0.1)
    assert finder.finish() is None


@given(st.lists(st.sampled_from([None, FAR, NEAR, NEARER, TRIGGER]), max_size=60))
def test_two_near_misses_are_always_two_utterances(scores: list[float | None]) -> None:
    times = [near.time for _, near in found(scores)]
    near = [number / 10 for number, score in enumerate(scores) if score in (NEAR, NEARER, TRIGGER)]
    for first, second in pairwise(times):
        between = [time for time in near if first <= time <= second]
        assert max(b - a for a, b in pairwise(between)) > 1.0
