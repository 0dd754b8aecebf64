"""Pronunciation variants are other than the dictionary's, and nearer to it than any near miss."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.languages import LANGUAGES
from kwsd.training.synthesis.languages.en import AMERICAN, ENGLISH
from kwsd.training.synthesis.variants import variant

KEYWORDS = {text: Keyword(text) for text in ("marvin", "computer", "hey jarvis", "smart mirror")}


@given(st.sampled_from(sorted(KEYWORDS)), st.sampled_from(ENGLISH.accents), st.integers(0, 2**32))
def test_between_the_dictionary_and_the_near_misses(text: str, accent: str, seed: int) -> None:
    keyword = KEYWORDS[text]
    distance = keyword.distance(variant(keyword, accent, np.random.default_rng(seed)))
    sounds = max(map(len, keyword.spoken))
    assert 0 < distance <= 0.35 * (sounds - 4) < 1.5 + 0.6 * (sounds - 4) == keyword.nearest


def test_many_of_them_and_all_have_the_words_of_the_phrase() -> None:
    keyword, random = KEYWORDS["smart mirror"], np.random.default_rng(0)
    made = [variant(keyword, AMERICAN, random) for _ in range(300)]
    assert len(set(made)) > 150
    assert {len(ipa.split()) for ipa in made} == {2}
    phonemes = len(ENGLISH.split(keyword.pronunciations[AMERICAN]))
    left_out = [len(ENGLISH.split(ipa)) < phonemes for ipa in made]  # a consonant
    assert 0.02 < np.mean(left_out) < 0.3


@pytest.mark.parametrize("code", sorted(LANGUAGES))
def test_in_every_language(code: str) -> None:
    keyword, random = Keyword("computer", LANGUAGES[code]), np.random.default_rng(0)
    for accent in keyword.language.accents:
        made = {variant(keyword, accent, random) for _ in range(20)}
        assert len(made) > 5
        assert all(0 < keyword.distance(ipa) <= keyword.furthest for ipa in made)


@pytest.mark.parametrize("text", ["happy", "sheila", "a"])
def test_a_short_keyword_has_none_and_stays_as_it_is(text: str) -> None:
    """One that is varied would soon be another word."""
    keyword = Keyword(text)
    assert variant(keyword, AMERICAN, np.random.default_rng(0)) == keyword.pronunciations[AMERICAN]
