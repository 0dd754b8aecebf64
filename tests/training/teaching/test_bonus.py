"""The bonus of a taught model: plain numbers, and that the verifier's head computes it."""

import numpy as np
import pytest
import verifiers
from hypothesis import given
from hypothesis import strategies as st

from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.embedding import EMBEDDING, EmbeddingStream
from kwsd.runtime.model import Array
from kwsd.runtime.verifier import CONTEXT, Heads
from kwsd.training.teaching.bonus import BONUS, FULL, START, Bonus, Discriminant, Windows, with_bonus

VERIFIER = {name: array.astype(np.float16).astype(np.float32) for name, array in verifiers.weights().items()}


def last_number(offset: float = 0.0, start: float = START) -> Bonus:
    """z is the first number of the last embedding, plus the offset."""
    weights = np.zeros((CONTEXT, EMBEDDING))
    weights[-1, 0] = 1
    return Bonus(weights, offset, start)


def windows(*z: float) -> Windows:
    made = np.zeros((len(z), CONTEXT, EMBEDDING), np.float32)
    made[:, -1, 0] = z
    return made


def scores(verifier: dict[str, Array], seen: Windows) -> list[float]:
    heads = Heads(verifier, EmbeddingStream(verifier, AudioHistory(0)))
    return [float(heads.log_odds(window)[0]) for window in seen]


def test_the_bonus_begins_at_a_likeness_and_ends_at_its_limit() -> None:
    assert last_number().of(windows(-3, 0.4, 0.55, 0.7, 9)).tolist() == pytest.approx(
        [0, 0, 2.5, 5, 5], abs=1e-6
    )
    assert last_number(0.25).of(windows(0.15, 0.3)).tolist() == pytest.approx([0, 2.5], abs=1e-5)


def test_the_mean_of_speech_is_at_0_and_that_of_the_recordings_at_1() -> None:
    random = np.random.default_rng(0)
    speech = random.normal(0, 3, (200, CONTEXT, EMBEDDING)).astype(np.float32)
    word = random.normal(1, 1, (6, CONTEXT, EMBEDDING)).astype(np.float32)
    bonus = Discriminant(speech).bonus(word, word[:0])
    assert bonus.z(speech).mean() == pytest.approx(0, abs=1e-4)
    assert bonus.z(word).mean() == pytest.approx(1, abs=1e-4)
    assert bonus.start == START


def test_what_is_not_the_word_gets_no_bonus_however_alike_it_is() -> None:
    random = np.random.default_rng(0)
    speech = random.normal(0, 3, (200, CONTEXT, EMBEDDING)).astype(np.float32)
    word = random.normal(1, 1, (6, CONTEXT, EMBEDDING)).astype(np.float32)
    others = 0.8 * word[:2]
    bonus = Discriminant(speech).bonus(word, others)
    assert bonus.start == bonus.z(others).max() > START
    assert bonus.of(others).tolist() == pytest.approx([0, 0], abs=1e-9)
    assert bonus.of(word).max() > 0


@given(
    seed=st.integers(0, 1000),
    size=st.floats(0.01, 30),
    offset=st.floats(-3, 3),
    start=st.floats(START, 2),
)
def test_a_head_computes_the_bonus_and_no_score_falls(
    seed: int, size: float, offset: float, start: float
) -> None:
    random = np.random.default_rng(seed)
    seen = random.normal(0, size, (12, CONTEXT, EMBEDDING)).astype(np.float32)
    weights = random.normal(0, 1 / size / 31, (CONTEXT, EMBEDDING))
    bonus = Bonus(weights, offset, start)
    before, after = scores(VERIFIER, seen), scores(with_bonus(VERIFIER, bonus), seen)
    rounded = 0.02 * (BONUS / (FULL - START))  # float16 changes z by less than 0.02
    for old, new, expected in zip(before, after, bonus.of(seen), strict=True):
        slack = 1e-4 * (1 + abs(old))
        assert new >= old - slack
        assert new <= old + 1.01 * BONUS + slack
        assert new == pytest.approx(old + expected, abs=rounded)


def test_scores_without_a_bonus_stay_as_they_were() -> None:
    seen = np.random.default_rng(0).normal(0, 5, (50, CONTEXT, EMBEDDING)).astype(np.float32)
    without = last_number(offset=-100.0)
    assert scores(with_bonus(VERIFIER, without), seen) == pytest.approx(scores(VERIFIER, seen), rel=1e-6)
