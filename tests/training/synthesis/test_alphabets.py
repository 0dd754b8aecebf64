"""The engines' alphabets: no sound is lost on the way to them and back."""

import pytest

from kwsd.training.synthesis.alphabets import from_misaki, to_espeak, to_misaki
from kwsd.training.synthesis.engines.espeak import RATE_HZ, espeak
from kwsd.training.synthesis.languages.en import AMERICAN, ENGLISH
from kwsd.training.synthesis.speech import finish, to_16k


def test_misaki_there_and_back() -> None:
    ipa = "dʒˈʌst ɐ tʃˈeɪndʒ, maɪ bˈɔɪ"
    assert to_misaki(ipa, ENGLISH, AMERICAN) == "ʤˈʌst ə ʧˈAnʤ, mI bˈY"
    assert ENGLISH.sounds(from_misaki(to_misaki(ipa, ENGLISH, AMERICAN))) == ENGLISH.sounds(ipa)


@pytest.mark.parametrize("accent", ENGLISH.accents)
def test_every_sound_has_a_mnemonic(accent: str) -> None:
    """espeak-ng cuts a word short at a sound that it does not know."""
    text = "a million curious girls whisper: what a cute bottle, mountain thirty oil, vision, go home, pour"
    ipa = espeak().phonemes(text, accent).translate(str.maketrans("", "", ",:"))
    assert to_espeak(ipa, ENGLISH).isascii()


def test_espeak_speaks_its_phonemes_as_its_text() -> None:
    """Saying a word by its sounds takes about as long as saying it by its letters: nothing is spelled out."""
    for word in ("computer", "jarvis", "change", "thirsty"):
        spoken = f"[[{to_espeak(espeak().phonemes(word, AMERICAN), ENGLISH)}]]"
        by_sounds, by_letters = (
            len(finish(to_16k(espeak().say(text, AMERICAN, 1.0, 50), RATE_HZ), 4)) for text in (spoken, word)
        )
        assert by_sounds == pytest.approx(by_letters, rel=0.15)
