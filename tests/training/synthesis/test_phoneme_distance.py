"""The distance between words is an edit distance, and similar words are near."""

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.languages.en import AMERICAN
from kwsd.training.synthesis.phoneme_distance import WordList, deletion_cost, substitution_cost
from kwsd.training.synthesis.phonemes import ALL_SOUNDS, Sounds

WORDS = st.lists(st.sampled_from(ALL_SOUNDS), max_size=7).map(tuple)


def plain_distance(one: Sounds, other: Sounds) -> float:
    """The edit distance by its definition."""

    @cache
    def apart(i: int, j: int) -> float:
        if i == 0 and j == 0:
            return 0.0
        ways = []
        if i:
            ways.append(apart(i - 1, j) + deletion_cost(one[i - 1]))
        if j:
            ways.append(apart(i, j - 1) + deletion_cost(other[j - 1]))
        if i and j:
            ways.append(apart(i - 1, j - 1) + substitution_cost(one[i - 1], other[j - 1]))
        return min(ways)

    return apart(len(one), len(other))


@given(WORDS, st.lists(WORDS, min_size=1, max_size=5))
def test_distances_are_the_edit_distance(word: Sounds, others: list[Sounds]) -> None:
    expected = [plain_distance(word, other) for other in others]
    np.testing.assert_allclose(WordList(others).distances(word), expected, atol=1e-5)


def test_similar_words_are_near() -> None:
    keyword = Keyword("happy")
    near = [keyword.distance(espeak().phonemes(word, AMERICAN)) for word in ("happy", "hippie", "table")]
    assert near == sorted(near)
    assert near[0] == 0 < near[1]
