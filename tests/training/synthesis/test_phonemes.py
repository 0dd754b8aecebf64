"""Phonemes: taking IPA apart, the same in every accent."""

import pytest

from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.languages.en import AMERICAN, ENGLISH


@pytest.mark.parametrize("text", ["computer", "hey jarvis", "alexa", "the quick brown fox jumps"])
@pytest.mark.parametrize("accent", ENGLISH.accents)
def test_splitting_loses_nothing(text: str, accent: str) -> None:
    ipa = espeak().phonemes(text, accent)
    assert ["".join(ENGLISH.split(word)) for word in ipa.split()] == ipa.split()


def test_accents_say_one_word() -> None:
    american, british = (espeak().phonemes("commuter", accent) for accent in (AMERICAN, "en"))
    assert american != british
    assert ENGLISH.sounds(american) == ENGLISH.sounds(british)


def test_punctuation_stays() -> None:
    assert espeak().phonemes("Well, is it hot? No.", AMERICAN) == "wˈɛl, ɪz ɪt hˈɑːt? nˈoʊ."
