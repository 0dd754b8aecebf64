"""Phrases that sound like a keyword across the boundaries of their words."""

import pytest

from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.near_phrases import near_phrases

pytest.importorskip("espeakng_loader", reason="needs the extra synth")

WORDS = {
    "cat": ("k", "æ", "t"),
    "office": ("ɒ", "f", "ɪ", "s"),
    "large": ("l", "ɑ", "dʒ"),
    "jar": ("dʒ", "ɑ"),
    "are": ("ɑ",),
    "visit": ("v", "ɪ", "z", "ɪ", "t"),
    "vista": ("v", "ɪ", "s", "t", "ə"),
    "jarvis": ("dʒ", "ɑ", "v", "ɪ", "s"),
}


def test_the_nearest_come_first_and_cross_boundaries() -> None:
    found = near_phrases(Keyword("jarvis"), WORDS, 20)
    assert found[:2] == ["jar visit", "large are visit"]  # z for s
    assert found.index("large office") < found.index("cat office")
    assert len(near_phrases(Keyword("jarvis"), WORDS, 2)) == 2


def test_what_says_the_keyword_is_left_out() -> None:
    found = near_phrases(Keyword("jarvis"), WORDS, 1_000)
    assert not {"jar vista", "large are vista"} & set(found)
    assert not [phrase for phrase in found if "jarvis" in phrase]


def test_what_another_speaker_might_say_for_the_keyword_is_left_out() -> None:
    found = near_phrases(Keyword("jarvis"), WORDS | {"this": ("ð", "ɪ", "s")}, 1_000)
    assert "jar this" not in found  # ð for v is a distance of 0.325, z for s one of 0.4
    assert "jar visit" in found


def test_a_word_is_in_few_phrases() -> None:
    found = near_phrases(Keyword("jarvis"), WORDS, 1_000)
    assert sum(phrase.split()[0] == "large" and len(phrase.split()) == 2 for phrase in found) <= 3
