"""Invents pronunciation variants of the keyword: how people may say it, though no dictionary has it.

They are positives. A model that has only heard the dictionary's pronunciations misses people with others:
docs/experiments/2026-11-28-pronunciation-variants.md.
"""

import numpy as np

from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.near_misses import similar_sound

CHANGED = 0.25  # probability of each sound to be another than the dictionary's
LEFT_OUT = 0.1  # probability of a changed consonant to be left out
ATTEMPTS = 100  # most keywords need a few; one of five sounds may have no variant that is near enough


def variant(keyword: Keyword, accent: str, random: np.random.Generator) -> str:
    """IPA of a variant that is not too far from the dictionary's (Keyword.furthest).

    The dictionary's own if the keyword has too few sounds for any.
    """
    language, written = keyword.language, keyword.pronunciations[accent]
    if not keyword.furthest:
        return written
    words = [language.split(word) for word in written.split()]
    for _ in range(ATTEMPTS):
        said = [_varied(word, language, random) for word in words]
        ipa = " ".join("".join(word) for word in said)
        has_vowels = all(any(map(language.is_vowel, word)) for word in said)
        if has_vowels and 0 < keyword.distance(ipa) <= keyword.furthest:
            return ipa
    return written


def _varied(word: list[str], language: Language, random: np.random.Generator) -> list[str]:
    """The word with some of its sounds changed."""
    said = []
    for phoneme in word:
        if random.random() >= CHANGED:
            said.append(phoneme)
        elif language.is_vowel(phoneme) or random.random() >= LEFT_OUT:
            said.append(similar_sound(phoneme, language, random))
    return said
