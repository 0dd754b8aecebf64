"""Phrases of common words that sound like a keyword across word boundaries: "large office" for "jarvis"."""

from collections import Counter
from collections.abc import Mapping
from functools import reduce
from itertools import combinations

import numpy as np
import numpy.typing as npt

from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.phoneme_distance import WordList
from kwsd.training.synthesis.phonemes import Sounds, contains

MIN_DISTANCE = 0.38  # phoneme distance; phrases that are nearer say the keyword, as some speaker does
NEAREST = (60, 40)  # words tried for each part of a pair and of a triple
MOST = 3  # phrases that a word may be in at the same place, so that they differ

Costs = npt.NDArray[np.float32]


def near_phrases(keyword: Keyword, words: Mapping[str, Sounds], count: int) -> list[str]:
    """At most `count` pairs and triples of words with a part that sounds like the keyword, nearest first.

    words: spelling and sounds, the commonest first: of words that fit equally well, the first are taken. The
    keyword is cut into two or three parts. The first word has to end like the first part, the last to begin
    like the last, and one between to be like the middle. Phrases nearer than MIN_DISTANCE are left out, as
    those that contain it.
    """
    found: dict[tuple[str, ...], float] = {}
    spellings, spoken = list(words), list(words.values())
    ends, starts, whole = _Parts(spoken, "ends"), _Parts(spoken, "starts"), WordList(spoken)
    for sounds in keyword.spoken:
        for cuts in (*combinations(range(1, len(sounds)), 1), *combinations(range(1, len(sounds)), 2)):
            parts = [sounds[start:stop] for start, stop in zip((0, *cuts), (*cuts, None), strict=True)]
            costs = [
                ends.distances(parts[0]),
                *map(whole.distances, parts[1:-1]),
                starts.distances(parts[-1]),
            ]
            nearest = [np.argsort(cost, kind="stable")[: NEAREST[len(cuts) - 1]] for cost in costs]
            sums = reduce(np.add, np.ix_(*(cost[best] for cost, best in zip(costs, nearest, strict=True))))
            for place in np.argsort(sums, axis=None, kind="stable")[: 20 * count]:
                index = np.unravel_index(place, sums.shape)
                phrase = tuple(spellings[best[at]] for best, at in zip(nearest, index, strict=True))
                found[phrase] = min(float(sums[index]), found.get(phrase, np.inf))
    chosen, used = [], Counter[tuple[str, int]]()
    for phrase in sorted(found, key=found.__getitem__):
        # a word as the first of a phrase: 0, as the last: 1, between: 2
        places = [(word, len(phrase) - place if place else 0) for place, word in enumerate(phrase)]
        said = tuple(sound for word in phrase for sound in words[word])
        if (
            found[phrase] >= MIN_DISTANCE
            and all(used[place] < MOST for place in places)
            and not any(contains(said, sounds) for sounds in keyword.spoken)
        ):
            used.update(places)
            chosen.append(" ".join(phrase))
    return chosen[:count]


class _Parts:
    """The ends or the starts of words."""

    def __init__(self, words: list[Sounds], which: str) -> None:
        parts = [
            (number, word[-length:] if which == "ends" else word[:length])
            for number, word in enumerate(words)
            for length in range(1, len(word) + 1)
        ]
        self._first = np.unique([number for number, _ in parts], return_index=True)[1]
        self._parts = WordList([part for _, part in parts])

    def distances(self, part: Sounds) -> Costs:
        """Of each word, the distance of its nearest part to `part`, (words,)."""
        distances: Costs = np.minimum.reduceat(self._parts.distances(part), self._first)
        return distances
