"""English speech sounds: IPA as espeak-ng writes it, taken apart, compared, and in the engines' alphabets.

An IPA string has its words separated by spaces and may keep punctuation. A sound is one phoneme of it without
stress or length, folded so that every accent's way to say the same word comes out (nearly) the same.
"""

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

_SOUND = re.compile(r"(tʃ|dʒ|eɪ|aɪ|ɔɪ|aʊ|oʊ|əʊ|n̩|l̩|[^\W\d_])")
_STRESS = "ˈˌ"

# What differs between accents but not between words: flaps, the many reduced vowels, Scots and RP spellings.
_FOLD = {
    "ɾ": "t", "r": "ɹ", "g": "ɡ", "ɫ": "l", "x": "k", "ɚ": "əɹ", "ɐ": "ə", "ᵻ": "ɪ", "ᵊ": "ə",
    "n̩": "ən", "l̩": "əl", "a": "æ", "ʉ": "u", "o": "oʊ", "əʊ": "oʊ", "e": "eɪ", "ʍ": "w",
}  # fmt: skip

# Height (0 closed to 3 open), backness (0 front to 2 back), rounding: the IPA chart.
_VOWELS = {
    "i": (0, 0, 0), "ɪ": (0.6, 0.4, 0), "ɛ": (2, 0.2, 0), "æ": (3, 0.3, 0), "ə": (1.5, 1, 0),
    "ɜ": (1.8, 1, 0), "ʌ": (2.3, 1.4, 0), "ɑ": (3, 1.7, 0), "ɒ": (3, 2, 1), "ɔ": (2, 2, 1),
    "ʊ": (0.6, 1.6, 1), "u": (0, 2, 1), "eɪ": (1, 0.1, 0), "aɪ": (2, 0.8, 0), "ɔɪ": (1.4, 1.3, 0.5),
    "aʊ": (2, 1.3, 0.5), "oʊ": (1, 1.9, 1),
}  # fmt: skip
_GLIDING = {"eɪ", "aɪ", "ɔɪ", "aʊ", "oʊ"}

# Place (0 lips to 5 throat), manner (stop, affricate, fricative, nasal, liquid, glide), voice.
_CONSONANTS = {
    "p": (0, "stop", 0), "b": (0, "stop", 1), "t": (2, "stop", 0), "d": (2, "stop", 1), "k": (4, "stop", 0),
    "ɡ": (4, "stop", 1), "tʃ": (3, "affricate", 0), "dʒ": (3, "affricate", 1), "f": (0.5, "fricative", 0),
    "v": (0.5, "fricative", 1), "θ": (1, "fricative", 0), "ð": (1, "fricative", 1), "s": (2, "fricative", 0),
    "z": (2, "fricative", 1), "ʃ": (3, "fricative", 0), "ʒ": (3, "fricative", 1), "h": (5, "fricative", 0),
    "m": (0, "nasal", 1), "n": (2, "nasal", 1), "ŋ": (4, "nasal", 1), "l": (2, "liquid", 1),
    "ɹ": (2.5, "liquid", 1), "j": (3, "glide", 1), "w": (0.5, "glide", 1),
}  # fmt: skip
VOWELS, CONSONANTS = tuple(_VOWELS), tuple(_CONSONANTS)
SOUNDS = VOWELS + CONSONANTS
_WEAK = {"h", "ə", "ɹ", "j"}  # dropped by whole accents

Sounds = tuple[str, ...]


def sounds(ipa: str) -> Sounds:
    """The folded sounds of an IPA string; word boundaries, stress and length are gone, as they are in speech.

    An r is kept before a vowel only: half of English drops the others.
    """
    folded: list[str] = []
    for token in _SOUND.findall(ipa.replace("ː", "").translate(str.maketrans("", "", _STRESS))):
        spelled = _FOLD.get(token, token)
        pieces = [spelled] if spelled in SOUNDS else list(spelled)
        folded += [piece for piece in pieces if piece in SOUNDS]
    return tuple(
        sound
        for place, sound in enumerate(folded)
        if sound != "ɹ" or (place + 1 < len(folded) and folded[place + 1] in _VOWELS)
    )


@cache
def difference(one: str, other: str) -> float:
    """How far two sounds are apart: 0 the same, about 0.4 a voicing, 1 nothing in common."""
    if one == other:
        return 0.0
    if one in _VOWELS and other in _VOWELS:
        apart = float(np.linalg.norm(np.subtract(_VOWELS[one], _VOWELS[other])))
        return min(1.0, 0.2 + 0.35 * apart + 0.2 * ((one in _GLIDING) != (other in _GLIDING)))
    if one in _CONSONANTS and other in _CONSONANTS:
        (place, manner, voice), (place2, manner2, voice2) = _CONSONANTS[one], _CONSONANTS[other]
        apart = 0.4 * (voice != voice2) + 0.5 * (manner != manner2) + 0.25 * min(2.0, abs(place - place2))
        return min(1.0, 0.2 + apart) if place != place2 or manner != manner2 else 0.4
    return 1.2


def weight(sound: str) -> float:
    """What adding or dropping a sound costs."""
    return 0.5 if sound in _WEAK else 1.0


_WEIGHTS = np.array([*map(weight, SOUNDS), 0.0], np.float32)
_DIFFERENCES = np.array([[*(difference(a, b) for b in SOUNDS), 0.0] for a in SOUNDS], np.float32)


_NUMBERS = {sound: number for number, sound in enumerate(SOUNDS)}


class WordList:
    """Many words, to be measured against one at once."""

    def __init__(self, words: Sequence[Sounds]) -> None:
        self._lengths = np.array([len(word) for word in words], np.intp)
        self._rows = np.full((len(words), max(self._lengths, default=0)), len(SOUNDS), np.intp)
        for row, word in zip(self._rows, words, strict=True):
            row[: len(word)] = [_NUMBERS[sound] for sound in word]

    def distances(self, word: Sounds) -> npt.NDArray[np.float32]:
        """Weighted edit distance of `word` to each, shape (words,): all tables a column at a time."""
        weights = _WEIGHTS[self._rows]
        count, longest = self._rows.shape
        costs = np.zeros((longest + 1, count), np.float32)
        np.cumsum(weights, axis=1, out=costs[1:].T)
        for sound in word:
            swaps, drop = _DIFFERENCES[_NUMBERS[sound]][self._rows], weight(sound)
            above, costs = costs, np.empty_like(costs)
            costs[0] = above[0] + drop
            for place in range(longest):
                added = np.minimum(above[place + 1] + drop, costs[place] + weights[:, place])
                costs[place + 1] = np.minimum(added, above[place] + swaps[:, place])
        return costs[self._lengths, np.arange(count)]


def contains(ipa: Sounds, part: Sounds) -> bool:
    """Whether `part` is said within `ipa`."""
    return any(ipa[start : start + len(part)] == part for start in range(len(ipa) - len(part) + 1))


def split(word: str) -> list[str]:
    """One IPA word as a list of phonemes, each with the stress before it and the length after it."""
    return re.findall(r"[ˈˌ]?(?:tʃ|dʒ|eɪ|aɪ|ɔɪ|aʊ|oʊ|əʊ|n̩|l̩|[^\W\d_ˈˌː])ː?", word)


def is_vowel(phoneme: str) -> bool:
    """Whether a phoneme as `split` gives it is a vowel."""
    return any(sound in _VOWELS for sound in sounds(phoneme + "i")[:-1])


_MISAKI = (
    ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q"), ("tʃ", "ʧ"), ("dʒ", "ʤ"),
    ("ɚ", "əɹ"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("ɐ", "ə"), ("r", "ɹ"), ("ɾ", "T"), ("g", "ɡ"),
)  # fmt: skip


def to_misaki(ipa: str, british: bool) -> str:
    """IPA in the alphabet Kokoro was trained on (misaki): diphthongs and affricates are one letter."""
    for written, letter in _MISAKI:
        ipa = ipa.replace(written, letter)
    return ipa if british else ipa.replace("ː", "")


def from_misaki(letters: str) -> str:
    """The other way round, for pronunciations in misaki's lexicon."""
    for written, letter in (*_MISAKI[:8], ("ɾ", "T"), ("ə", "ᵊ"), ("ɪ", "ᵻ"), ("t", "ʔ")):
        letters = letters.replace(letter, written)
    return letters


_MNEMONICS = {
    "ɑ": "A:", "ɪ": "I", "ᵻ": "I2", "i": "i:", "u": "u:", "ʊ": "U", "ɛ": "E", "æ": "a", "a": "a", "ʌ": "V",
    "ɔ": "O:", "ɒ": "0", "ə": "@", "ɐ": "a#", "ɚ": "3", "ɜ": "3:", "eɪ": "eI", "aɪ": "aI", "aʊ": "aU",
    "ɔɪ": "OI", "oʊ": "oU", "əʊ": "oU", "ŋ": "N", "θ": "T", "ð": "D", "ʃ": "S", "ʒ": "Z", "tʃ": "tS",
    "dʒ": "dZ", "ɹ": "r", "ɾ": "t#", "ɡ": "g", "l̩": "@L", "n̩": "@n",
    "e": "eI", "o": "oU", "ʉ": "u:", "ʍ": "w", "ʔ": "t", "ʲ": "",
}  # fmt: skip


def to_espeak(ipa: str) -> str:
    """IPA as espeak-ng's own mnemonics, to be spoken as ``[[...]]``."""
    words = []
    for word in ipa.split():
        mnemonics = ""
        for phoneme in split(word):
            stress = {"ˈ": "'", "ˌ": ","}.get(phoneme[0], "")
            bare = phoneme.strip("ˈˌː")
            mnemonics += stress + _MNEMONICS.get(bare, bare)
        words.append(mnemonics)
    return " ".join(words)
