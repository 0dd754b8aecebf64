"""Sounds that are nearly the keyword and must not fire: made from its phonemes, and real words like it."""

from collections.abc import Callable

import numpy as np

from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.phonemes import CONSONANTS, SOUNDS, VOWELS, difference, is_vowel, sounds, split

NEAREST = 0.6  # weighted edits; an invented word nearer than that might be somebody's keyword
_ONSETS = (
    "b", "d", "f", "ɡ", "h", "k", "l", "m", "n", "p", "ɹ", "s", "t", "v", "w", "j", "ʃ", "tʃ", "dʒ", "θ",
    "bɹ", "kl", "kɹ", "dɹ", "fl", "ɡɹ", "pl", "pɹ", "sk", "sl", "sm", "sn", "sp", "st", "stɹ", "tɹ", "",
)  # fmt: skip
_CODAS = ("", "", "n", "t", "d", "s", "z", "k", "l", "m", "p", "ŋ", "st", "nt", "ɹ")
_SYLLABLE_VOWELS = ("iː", "ɪ", "ɛ", "æ", "ə", "ʌ", "ɑː", "ɔː", "uː", "eɪ", "aɪ", "oʊ")

Word = list[str]
Draw = np.random.Generator


def _pick(choices: tuple[str, ...] | Word, random: Draw) -> str:
    return choices[random.integers(len(choices))]


def _marks(phoneme: str) -> str:
    return phoneme[0] if phoneme[0] in "ˈˌ" else ""


def _like(phoneme: str, random: Draw) -> str:
    """Another sound of its kind, the nearer the likelier, under the same stress."""
    heard = sounds(phoneme + "ə")[0]
    kind = VOWELS if heard in VOWELS else CONSONANTS
    others = [sound for sound in kind if sound != heard]
    odds = np.exp(-4 * np.array([difference(heard, other) for other in others]))
    return _marks(phoneme) + str(random.choice(others, p=odds / odds.sum()))


def _substituted(word: Word, random: Draw) -> Word:
    changed = list(word)
    for place in random.permutation(len(word))[: random.integers(1, 3)]:
        changed[place] = _like(word[place], random)
    return changed


def _deleted(word: Word, random: Draw) -> Word:
    place = random.integers(len(word))
    return word[:place] + word[place + 1 :]


def _inserted(word: Word, random: Draw) -> Word:
    """A sound more inside the word: outside, the keyword would still be said."""
    if len(word) < 2:
        return _substituted(word, random)
    place = random.integers(1, len(word))
    sound = _pick(CONSONANTS if is_vowel(word[place]) else SOUNDS, random)
    return [*word[:place], sound, *word[place:]]


def _syllable(random: Draw) -> Word:
    return split(_pick(_ONSETS, random) + _pick(_SYLLABLE_VOWELS, random) + _pick(_CODAS, random))


def _cut(word: Word, random: Draw) -> int:
    return int(random.integers(1, max(2, len(word))))


def _beginning(word: Word, random: Draw) -> Word:
    return word[: _cut(word, random)]


def _end(word: Word, random: Draw) -> Word:
    return word[_cut(word, random) :]


def _ends_otherwise(word: Word, random: Draw) -> Word:
    return word[: _cut(word, random)] + _syllable(random)


def _begins_otherwise(word: Word, random: Draw) -> Word:
    return _syllable(random) + word[_cut(word, random) :]


def _rhyme(word: Word, random: Draw) -> Word:
    """Another onset before the stressed vowel."""
    stressed = next(
        (place for place, phoneme in enumerate(word) if phoneme[0] == "ˈ" and is_vowel(phoneme)), 0
    )
    return split(_pick(_ONSETS, random)) + word[stressed:]


_CHANGES: tuple[Callable[[Word, Draw], Word], ...] = (
    _substituted,
    _substituted,
    _deleted,
    _inserted,
    _beginning,
    _end,
    _ends_otherwise,
    _begins_otherwise,
    _rhyme,
)


def _changed_phrase(words: list[Word], random: Draw) -> list[Word]:
    """A phrase with a word alone, its words swapped, or one of them a near miss of itself."""
    if len(words) > 1:
        what = random.random()
        if what < 0.2:
            return [words[random.integers(len(words))]]
        if what < 0.3:
            return [words[place] for place in random.permutation(len(words))]
    place = random.integers(len(words))
    change = _CHANGES[random.integers(len(_CHANGES))]
    return [*words[:place], change(words[place], random), *words[place + 1 :]]


def _stressed(words: list[Word]) -> str:
    """IPA of the words, each with a stress somewhere."""
    spoken = []
    for word in words:
        ipa = "".join(word)
        vowel = next((place for place, phoneme in enumerate(word) if is_vowel(phoneme)), 0)
        spoken.append(
            ipa if "ˈ" in ipa else "".join([*word[:vowel], "ˈ", word[vowel].lstrip("ˌ"), *word[vowel + 1 :]])
        )
    return " ".join(spoken)


def near_miss(keyword: Keyword, accent: str, random: Draw) -> str:
    """IPA of one invented near miss: never the keyword in any accent, nor anything that holds it."""
    words = [split(word) for word in keyword.pronunciations[accent].split()]
    while True:
        changed = [word for word in _changed_phrase(words, random) if any(map(is_vowel, word))]
        ipa = _stressed(changed)
        if changed and keyword.distance(ipa) >= NEAREST and not keyword.said_in(ipa):
            return ipa
