"""Near misses are near, and never the keyword."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.languages.en import AMERICAN, BRITISH, ENGLISH
from kwsd.training.synthesis.lexicon import near_words
from kwsd.training.synthesis.near_misses import near_miss
from kwsd.training.synthesis.phonemes import contains

KEYWORDS = {text: Keyword(text) for text in ("happy", "computer", "alexa", "hey jarvis", "a", "snowboy go")}


@given(st.sampled_from(sorted(KEYWORDS)), st.sampled_from(ENGLISH.accents), st.integers(0, 2**32))
def test_never_the_keyword(text: str, accent: str, seed: int) -> None:
    keyword = KEYWORDS[text]
    made = ENGLISH.sounds(near_miss(keyword, accent, np.random.default_rng(seed)))
    assert made
    for spoken in keyword.spoken:
        assert not contains(made, spoken)


def test_many_and_near() -> None:
    keyword, random = KEYWORDS["computer"], np.random.default_rng(0)
    made = [near_miss(keyword, AMERICAN, random) for _ in range(300)]
    assert len(set(made)) > 100
    assert np.median([keyword.distance(ipa) for ipa in made]) < 5  # 3.9 is the least


@given(st.sampled_from(sorted(KEYWORDS)), st.integers(0, 2**32))
def test_none_is_so_near_that_someone_may_say_the_keyword_like_that(text: str, seed: int) -> None:
    """But parts of a phrase, as they are."""
    keyword = KEYWORDS[text]
    made = near_miss(keyword, AMERICAN, np.random.default_rng(seed))
    parts = keyword.pronunciations[AMERICAN].split()
    of_the_phrase = len(parts) > 1 and set(made.split()) <= set(parts)
    assert of_the_phrase or keyword.distance(made) >= 1.5 + 0.6 * max(0, max(map(len, keyword.spoken)) - 4)


def test_a_phrase_of_one_word_repeated_has_near_misses() -> None:
    keyword, random = Keyword("bye bye"), np.random.default_rng(0)
    assert len({near_miss(keyword, AMERICAN, random) for _ in range(40)}) > 20


def test_words_of_a_phrase_alone_and_swapped() -> None:
    keyword, random = KEYWORDS["hey jarvis"], np.random.default_rng(0)
    hey, jarvis = keyword.pronunciations[AMERICAN].split()
    made = {near_miss(keyword, AMERICAN, random) for _ in range(300)}
    assert {hey, jarvis, f"{jarvis} {hey}"} <= made


@pytest.mark.skipif(importlib.util.find_spec("hibari") is None, reason="needs hibari-tts's lexicon")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("happy", {"heavy", "happen", "hairy"}),
        ("computer", {"corrector", "container", "deport"}),
        ("hey computer", {"hey robot", "spoken computer"}),
    ],
)
def test_real_words_like_it(text: str, expected: set[str]) -> None:
    keyword = KEYWORDS.get(text) or Keyword(text)
    near = near_words(keyword, 300)
    assert expected <= set(near)
    assert not {"hippie", "harpy", "commuter", "compute", "hi computer"} & set(near)
    for word in near:
        for accent in (AMERICAN, BRITISH):
            assert ENGLISH.sounds(espeak().phonemes(word, accent)) not in keyword.spoken


def test_english_stays_as_it_is() -> None:
    """Another language must not change what English draws: its models could not be made again."""
    keyword, random = KEYWORDS["hey jarvis"], np.random.default_rng(0)
    assert [near_miss(keyword, AMERICAN, random) for _ in range(6)] == [
        "ɹˈeɪ flˈiːss",
        "hwˈænt dʒˈɑːɹvɪs",
        "bɹeɪstˈeɪ dʒˈɒjvɪs",
        "smɪˈeɪ jˈɔɹvɪs",
        "ˈeɪ dʒskˈɑːŋ",
        "hslˈoʊk dʒˈɑːɹvɪ",
    ]
