"""English speech sounds, from IPA as espeak-ng writes it.

In an IPA string, words are separated by spaces, and there may be punctuation. A sound is a phoneme without
stress and length, folded so that a word has (nearly) the same sounds in all accents.
"""

import re

_PHONEME = r"tʃ|dʒ|eɪ|aɪ|ɔɪ|aʊ|oʊ|əʊ|n̩|l̩"  # those of more than one letter
_SOUND = re.compile(rf"({_PHONEME}|[^\W\d_])")
_STRESSED = re.compile(rf"[ˈˌ]?(?:{_PHONEME}|[^\W\d_ˈˌː])ː?")
_MARKS = str.maketrans("", "", "ˈˌː")  # stress and length

# Differences between accents that do not distinguish words: flaps, reduced vowels, Scottish and RP vowels
_FOLD = {
    "ɾ": "t", "r": "ɹ", "g": "ɡ", "ɫ": "l", "x": "k", "ɚ": "əɹ", "ɐ": "ə", "ᵻ": "ɪ", "ᵊ": "ə",
    "n̩": "ən", "l̩": "əl", "a": "æ", "ʉ": "u", "o": "oʊ", "əʊ": "oʊ", "e": "eɪ", "ʍ": "w",
}  # fmt: skip

# Height (0 closed to 3 open), backness (0 front to 2 back) and rounding, after the IPA chart
VOWEL_FEATURES = {
    "i": (0, 0, 0), "ɪ": (0.6, 0.4, 0), "ɛ": (2, 0.2, 0), "æ": (3, 0.3, 0), "ə": (1.5, 1, 0),
    "ɜ": (1.8, 1, 0), "ʌ": (2.3, 1.4, 0), "ɑ": (3, 1.7, 0), "ɒ": (3, 2, 1), "ɔ": (2, 2, 1),
    "ʊ": (0.6, 1.6, 1), "u": (0, 2, 1), "eɪ": (1, 0.1, 0), "aɪ": (2, 0.8, 0), "ɔɪ": (1.4, 1.3, 0.5),
    "aʊ": (2, 1.3, 0.5), "oʊ": (1, 1.9, 1),
}  # fmt: skip

# Place (0 lips to 5 throat), manner and voicing
CONSONANT_FEATURES = {
    "p": (0, "stop", 0), "b": (0, "stop", 1), "t": (2, "stop", 0), "d": (2, "stop", 1), "k": (4, "stop", 0),
    "ɡ": (4, "stop", 1), "tʃ": (3, "affricate", 0), "dʒ": (3, "affricate", 1), "f": (0.5, "fricative", 0),
    "v": (0.5, "fricative", 1), "θ": (1, "fricative", 0), "ð": (1, "fricative", 1), "s": (2, "fricative", 0),
    "z": (2, "fricative", 1), "ʃ": (3, "fricative", 0), "ʒ": (3, "fricative", 1), "h": (5, "fricative", 0),
    "m": (0, "nasal", 1), "n": (2, "nasal", 1), "ŋ": (4, "nasal", 1), "l": (2, "liquid", 1),
    "ɹ": (2.5, "liquid", 1), "j": (3, "glide", 1), "w": (0.5, "glide", 1),
}  # fmt: skip

VOWELS, CONSONANTS = tuple(VOWEL_FEATURES), tuple(CONSONANT_FEATURES)
SOUNDS = VOWELS + CONSONANTS

Sounds = tuple[str, ...]


def sounds(ipa: str) -> Sounds:
    """The folded sounds of an IPA string, without word boundaries, which cannot be heard.

    An r is kept only before a vowel, because many accents drop the others.
    """
    folded: list[str] = []
    for phoneme in _SOUND.findall(ipa.translate(_MARKS)):
        written = _FOLD.get(phoneme, phoneme)
        pieces = [written] if written in SOUNDS else list(written)
        folded += [piece for piece in pieces if piece in SOUNDS]
    return tuple(
        sound
        for place, sound in enumerate(folded)
        if sound != "ɹ" or (place + 1 < len(folded) and folded[place + 1] in VOWELS)
    )


def contains(word: Sounds, part: Sounds) -> bool:
    """Whether the sounds of `part` occur consecutively in `word`."""
    return any(word[start : start + len(part)] == part for start in range(len(word) - len(part) + 1))


def split(word: str) -> list[str]:
    """The phonemes of one word in IPA, each with the stress mark before it and the length mark after it."""
    return _STRESSED.findall(word)


def is_vowel(phoneme: str) -> bool:
    """Whether a phoneme, as `split` returns it, is a vowel."""
    return any(sound in VOWELS for sound in sounds(phoneme + "i")[:-1])  # the added vowel keeps an r
