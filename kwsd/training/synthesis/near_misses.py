"""Invents near misses: words that sound almost like the keyword, made by changing its phonemes."""

from collections.abc import Callable

import numpy as np

from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.phoneme_distance import substitution_cost
from kwsd.training.synthesis.phonemes import VOWEL_FEATURES

Word = list[str]  # phonemes, as `Language.split` returns them


def _pick(choices: tuple[str, ...] | Word, random: np.random.Generator) -> str:
    return choices[random.integers(len(choices))]


def similar_sound(phoneme: str, language: Language, random: np.random.Generator) -> str:
    """Another vowel or another consonant with the same stress; similar ones are more likely."""
    heard = language.sounds(phoneme + language.vowels[0])[:-1]
    sound = heard[0] if heard else "ə"
    alike = language.vowels if sound in VOWEL_FEATURES else language.consonants
    others = [other for other in alike if other != sound]
    odds = np.exp(-4 * np.array([substitution_cost(sound, other) for other in others]))
    stress = phoneme[0] if phoneme[0] in "ˈˌ" else ""
    return stress + str(random.choice(others, p=odds / odds.sum()))


def _substituted(word: Word, language: Language, random: np.random.Generator) -> Word:
    """The word with one or two sounds replaced by similar ones."""
    changed = list(word)
    for place in random.permutation(len(word))[: random.integers(1, 3)]:
        changed[place] = similar_sound(word[place], language, random)
    return changed


def _deleted(word: Word, _: Language, random: np.random.Generator) -> Word:
    place = random.integers(len(word))
    return word[:place] + word[place + 1 :]


def _inserted(word: Word, language: Language, random: np.random.Generator) -> Word:
    """The word with one more sound inside. At either end, it would leave the keyword intact."""
    if len(word) < 2:
        return _substituted(word, language, random)
    place = random.integers(1, len(word))
    sound = _pick(language.consonants if language.is_vowel(word[place]) else language.inventory, random)
    return [*word[:place], sound, *word[place:]]


def _syllable(language: Language, random: np.random.Generator) -> Word:
    parts = (language.onsets, language.syllable_vowels, language.codas)
    return language.split("".join(_pick(choices, random) for choices in parts))


def _cut(word: Word, random: np.random.Generator) -> int:
    """A place to cut the word in two."""
    return int(random.integers(1, max(2, len(word))))


def _beginning(word: Word, _: Language, random: np.random.Generator) -> Word:
    return word[: _cut(word, random)]


def _end(word: Word, _: Language, random: np.random.Generator) -> Word:
    return word[_cut(word, random) :]


def _with_other_end(word: Word, language: Language, random: np.random.Generator) -> Word:
    return word[: _cut(word, random)] + _syllable(language, random)


def _with_other_beginning(word: Word, language: Language, random: np.random.Generator) -> Word:
    return _syllable(language, random) + word[_cut(word, random) :]


def _rhyme(word: Word, language: Language, random: np.random.Generator) -> Word:
    """The word with another onset before its stressed vowel."""
    stressed = next(
        (n for n, phoneme in enumerate(word) if phoneme[0] == "ˈ" and language.is_vowel(phoneme)), 0
    )
    return language.split(_pick(language.onsets, random)) + word[stressed:]


# All entries are equally likely, so substitution, which is listed twice, is the most common change
_CHANGES: tuple[Callable[[Word, Language, np.random.Generator], Word], ...] = (
    _substituted,
    _substituted,
    _deleted,
    _inserted,
    _beginning,
    _end,
    _with_other_end,
    _with_other_beginning,
    _rhyme,
)


def _changed_phrase(words: list[Word], language: Language, random: np.random.Generator) -> list[Word]:
    """The phrase with one word changed, or with all of them."""
    changed = [_CHANGES[random.integers(len(_CHANGES))](word, language, random) for word in words]
    if random.random() < 0.5:
        return changed
    place = random.integers(len(words))
    return [*words[:place], changed[place], *words[place + 1 :]]


def _stressed(words: list[Word], language: Language) -> str:
    """IPA of the words, each with a stressed vowel."""
    spoken = []
    for word in words:
        ipa = "".join(word)
        vowel = next((place for place, phoneme in enumerate(word) if language.is_vowel(phoneme)), 0)
        spoken.append(
            ipa if "ˈ" in ipa else "".join([*word[:vowel], "ˈ", word[vowel].lstrip("ˌ"), *word[vowel + 1 :]])
        )
    return " ".join(spoken)


def _rearranged(words: list[Word], random: np.random.Generator) -> list[Word]:
    """One word of the phrase alone, or its words in a random order."""
    if random.random() < 0.67:
        return [words[random.integers(len(words))]]
    return [words[place] for place in random.permutation(len(words))]


def near_miss(keyword: Keyword, accent: str, random: np.random.Generator) -> str:
    """IPA of one invented near miss (see Keyword.is_near_miss).

    Of a phrase also a word alone, or its words in another order, whatever their distance.
    """
    language = keyword.language
    words = [language.split(word) for word in keyword.pronunciations[accent].split()]
    if len(words) > 1 and random.random() < 0.3:
        ipa = _stressed(_rearranged(words, random), language)
        if not keyword.said_in(ipa):
            return ipa
    while True:
        changed = _changed_phrase(words, language, random)
        if all(any(map(language.is_vowel, word)) for word in changed):
            ipa = _stressed(changed, language)
            if keyword.is_near_miss(ipa):
                return ipa
