"""How different two words sound: an edit distance over phonemes with costs that depend on phonetic features.

All costs are chosen by hand. Substituting or adding a sound costs about 1.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from kwsd.training.synthesis.phonemes import (
    ALL_SOUNDS,
    CONSONANT_FEATURES,
    DIPHTHONGS,
    VOWEL_FEATURES,
    Sounds,
)

_OFTEN_DROPPED = {"h", "ə", "ɹ", "j"}  # by speakers of some accents


@cache
def substitution_cost(one: str, other: str) -> float:
    """The cost of substituting a sound: 0 for the same sound, 0.4 if only voicing differs, up to 1.2."""
    if one == other:
        return 0.0
    if one in VOWEL_FEATURES and other in VOWEL_FEATURES:
        apart = float(np.linalg.norm(np.subtract(VOWEL_FEATURES[one], VOWEL_FEATURES[other])))
        return min(1.0, 0.2 + 0.35 * apart + 0.2 * ((one in DIPHTHONGS) != (other in DIPHTHONGS)))
    if one in CONSONANT_FEATURES and other in CONSONANT_FEATURES:
        (place, manner, voice), (place2, manner2, voice2) = CONSONANT_FEATURES[one], CONSONANT_FEATURES[other]
        apart = 0.4 * (voice != voice2) + 0.5 * (manner != manner2) + 0.25 * min(2.0, abs(place - place2))
        return min(1.0, 0.2 + apart) if place != place2 or manner != manner2 else 0.4
    return 1.2


def deletion_cost(sound: str) -> float:
    """The cost of leaving out a sound, or of adding it."""
    return 0.5 if sound in _OFTEN_DROPPED else 1.0


_NUMBERS = {sound: number for number, sound in enumerate(ALL_SOUNDS)}
# By number; the last entry stands for padding and costs nothing
_DELETIONS = np.array([*map(deletion_cost, ALL_SOUNDS), 0.0], np.float32)
_SUBSTITUTIONS = np.array(
    [[*(substitution_cost(one, other) for other in ALL_SOUNDS), 0.0] for one in ALL_SOUNDS], np.float32
)


class WordList:
    """Many words whose distances to another word are computed at once."""

    def __init__(self, words: Sequence[Sounds]) -> None:
        self._lengths = np.array([len(word) for word in words], np.intp)
        self._rows = np.full((len(words), max(self._lengths, default=0)), len(ALL_SOUNDS), np.intp)  # padded
        for row, word in zip(self._rows, words, strict=True):
            row[: len(word)] = [_NUMBERS[sound] for sound in word]

    def distances(self, word: Sounds) -> npt.NDArray[np.float32]:
        """The weighted edit distance of `word` to each word of the list, (words,).

        The Wagner-Fischer algorithm, on all words at the same time, row by row.
        """
        additions = _DELETIONS[self._rows]
        count, longest = self._rows.shape
        costs = np.zeros((longest + 1, count), np.float32)
        np.cumsum(additions, axis=1, out=costs[1:].T)
        for sound in word:
            substitutions, deletion = _SUBSTITUTIONS[_NUMBERS[sound]][self._rows], deletion_cost(sound)
            above, costs = costs, np.empty_like(costs)
            costs[0] = above[0] + deletion
            for place in range(longest):
                shifted = np.minimum(above[place + 1] + deletion, costs[place] + additions[:, place])
                costs[place + 1] = np.minimum(shifted, above[place] + substitutions[:, place])
        return costs[self._lengths, np.arange(count)]
