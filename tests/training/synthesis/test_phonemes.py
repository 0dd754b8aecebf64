"""Phonemes: taking IPA apart, and how far words are apart."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.synthesis.engines.espeak import ACCENTS, AMERICAN, espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.phonemes import (
    SOUNDS,
    Sounds,
    WordList,
    difference,
    from_misaki,
    sounds,
    split,
    to_espeak,
    to_misaki,
    weight,
)
from kwsd.training.synthesis.speech import finish, to_16k

WORDS = st.lists(st.sampled_from(SOUNDS), max_size=7).map(tuple)


def plain_distance(one: Sounds, other: Sounds) -> float:
    """The edit distance by its definition."""

    @cache
    def apart(i: int, j: int) -> float:
        if i == 0 and j == 0:
            return 0.0
        ways = []
        if i:
            ways.append(apart(i - 1, j) + weight(one[i - 1]))
        if j:
            ways.append(apart(i, j - 1) + weight(other[j - 1]))
        if i and j:
            ways.append(apart(i - 1, j - 1) + difference(one[i - 1], other[j - 1]))
        return min(ways)

    return apart(len(one), len(other))


@given(WORDS, st.lists(WORDS, min_size=1, max_size=5))
def test_distances_are_the_edit_distance(word: Sounds, others: list[Sounds]) -> None:
    expected = [plain_distance(word, other) for other in others]
    np.testing.assert_allclose(WordList(others).distances(word), expected, atol=1e-5)


@pytest.mark.parametrize("text", ["computer", "hey jarvis", "alexa", "the quick brown fox jumps"])
@pytest.mark.parametrize("accent", ACCENTS)
def test_splitting_loses_nothing(text: str, accent: str) -> None:
    ipa = espeak().phonemes(text, accent)
    assert ["".join(split(word)) for word in ipa.split()] == ipa.split()


def test_accents_say_one_word() -> None:
    american, british = (espeak().phonemes("commuter", accent) for accent in (AMERICAN, "en"))
    assert american != british
    assert sounds(american) == sounds(british)


def test_punctuation_stays() -> None:
    assert espeak().phonemes("Well, is it hot? No.", AMERICAN) == "wˈɛl, ɪz ɪt hˈɑːt? nˈoʊ."


def test_nearer_words_are_nearer() -> None:
    keyword = Keyword("happy")
    near = [keyword.distance(espeak().phonemes(word, AMERICAN)) for word in ("happy", "hippie", "table")]
    assert near == sorted(near)
    assert near[0] == 0 < near[1]


def test_misaki_there_and_back() -> None:
    ipa = "dʒˈʌst ɐ tʃˈeɪndʒ, maɪ bˈɔɪ"
    assert to_misaki(ipa, british=False) == "ʤˈʌst ə ʧˈAnʤ, mI bˈY"
    assert sounds(from_misaki(to_misaki(ipa, british=False))) == sounds(ipa)


@pytest.mark.parametrize("accent", ACCENTS)
def test_every_sound_has_a_mnemonic(accent: str) -> None:
    """espeak-ng cuts a word short at a sound that it does not know."""
    text = "a million curious girls whisper: what a cute bottle, mountain thirty oil, vision, go home, pour"
    assert to_espeak(espeak().phonemes(text, accent).translate(str.maketrans("", "", ",:"))).isascii()


def test_espeak_speaks_its_phonemes_as_its_text() -> None:
    """Saying a word by its sounds takes about as long as saying it by its letters: nothing is spelled out."""
    for word in ("computer", "jarvis", "change", "thirsty"):
        spoken = f"[[{to_espeak(espeak().phonemes(word, AMERICAN))}]]"
        by_sounds, by_letters = (
            len(finish(to_16k(espeak().say(text, AMERICAN, 1.0, 50), 22_050), 4)) for text in (spoken, word)
        )
        assert by_sounds == pytest.approx(by_letters, rel=0.15)
