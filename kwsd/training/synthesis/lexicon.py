"""Real words that sound like a word: "hippie", "harpy" and "happen" for "happy"."""

import gzip
import importlib.util
import itertools
import json
from functools import cache
from importlib.resources import files

import numpy as np

from kwsd.training.synthesis.engines.espeak import AMERICAN, espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.phonemes import Sounds, WordList, from_misaki, sounds

NEAREST = 0.38  # nearer, and it is the keyword in somebody's mouth


@cache
def lexicon() -> dict[str, Sounds]:
    """Words and their sounds, from the dictionary in hibari-tts (misaki's); empty without it."""
    if importlib.util.find_spec("hibari") is None:
        return {}
    packed = files("hibari").joinpath("assets/lexicon_us_gold.json.gz").read_bytes()
    entries: dict[str, str | dict[str, str]] = json.loads(gzip.decompress(packed))
    words = {}
    for word, letters in entries.items():
        said = letters if isinstance(letters, str) else letters.get("DEFAULT", "")
        abbreviation = len(word) == 1 or not word.isalpha() or not word.islower() or "ˈ" not in said
        if not abbreviation:
            words[word] = sounds(from_misaki(said))
    return words


def near_words(keyword: Keyword, count: int) -> list[str]:
    """The nearest `count` spellings, nearest first: real words, or the phrase with one word another.

    None of them says the keyword.
    """
    words = keyword.text.split()
    if len(words) > 1:
        near = [_near_words(Keyword(word), count // len(words)) for word in words]
        phrases = [
            " ".join([*words[:place], other, *words[place + 1 :]])
            for place, others in enumerate(near)
            for other in others
        ]
        return sorted(
            filter(lambda phrase: _is_other(keyword, phrase), phrases),
            key=lambda phrase: keyword.distance(espeak().phonemes(phrase, AMERICAN)),
        )
    return _near_words(keyword, count)


def _near_words(keyword: Keyword, count: int) -> list[str]:
    words = lexicon()
    if not words:
        return []
    spelled, listed = list(words), WordList(list(words.values()))
    apart = np.min([listed.distances(spoken) for spoken in keyword.spoken], axis=0)
    candidates = (spelled[place] for place in np.argsort(apart, kind="stable") if apart[place] >= NEAREST)
    # Two sources must agree that it is another word: engines that read text have a third of their own.
    return list(itertools.islice((word for word in candidates if _is_other(keyword, word)), count))


def _is_other(keyword: Keyword, text: str) -> bool:
    ipa = espeak().phonemes(text, AMERICAN)
    return keyword.distance(ipa) >= NEAREST and not keyword.said_in(ipa)
