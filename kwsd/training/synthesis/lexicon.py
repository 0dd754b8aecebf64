"""Real words that sound like a keyword: "hippie", "harpy" and "happen" for "happy"."""

import gzip
import importlib.util
import itertools
import json
from functools import cache
from importlib.resources import files

import numpy as np

from kwsd.training.synthesis.alphabets import from_misaki
from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.phoneme_distance import WordList
from kwsd.training.synthesis.phonemes import Sounds

COMMON_WORDS = 40_000  # of a language


@cache
def lexicon(language: Language) -> dict[str, Sounds]:
    """Words of a language and their sounds; empty if the package that has the words is not installed."""
    return _misaki_words() if language is ENGLISH else _common_words(language)


def _common_words(language: Language) -> dict[str, Sounds]:
    """The commonest words in pyspellchecker's lists, pronounced by espeak-ng."""
    if importlib.util.find_spec("spellchecker") is None:
        return {}
    packed = files("spellchecker").joinpath(f"resources/{language.code}.json.gz").read_bytes()
    counts: dict[str, int] = json.loads(gzip.decompress(packed))
    words = sorted(filter(str.isalpha, counts), key=lambda word: -counts[word])[:COMMON_WORDS]
    spoken = {word: language.sounds(espeak().phonemes(word, language.accents[0])) for word in words}
    return {word: heard for word, heard in spoken.items() if heard}


def _misaki_words() -> dict[str, Sounds]:
    """The English words of misaki's dictionary, which is in hibari-tts."""
    if importlib.util.find_spec("hibari") is None:
        return {}
    packed = files("hibari").joinpath("assets/lexicon_us_gold.json.gz").read_bytes()
    entries: dict[str, str | dict[str, str]] = json.loads(gzip.decompress(packed))
    words = {}
    for word, letters in entries.items():
        said = letters if isinstance(letters, str) else letters.get("DEFAULT", "")
        abbreviation = len(word) == 1 or not word.isalpha() or not word.islower() or "ˈ" not in said
        if not abbreviation:
            words[word] = ENGLISH.sounds(from_misaki(said))
    return words


def near_words(keyword: Keyword, count: int) -> list[str]:
    """The `count` most similar words, most similar first; for a phrase, phrases with one word replaced.

    None of them contains the keyword.
    """
    words = keyword.text.split()
    if len(words) > 1:
        parts = [Keyword(word, keyword.language) for word in words]
        near = [_similar_words(part, count // len(words), keyword.nearest) for part in parts]
        phrases = [
            " ".join([*words[:place], other, *words[place + 1 :]])
            for place, others in enumerate(near)
            for other in others
        ]
        return sorted(
            filter(lambda phrase: _is_near_miss(keyword, phrase), phrases),
            key=lambda phrase: keyword.distance(espeak().phonemes(phrase, keyword.language.accents[0])),
        )
    return _similar_words(keyword, count, keyword.nearest)


def _similar_words(keyword: Keyword, count: int, nearest: float) -> list[str]:
    """The `count` most similar words at a distance of at least `nearest`; equally similar ones at random."""
    words = lexicon(keyword.language)
    if not words:
        return []
    spellings = list(words)
    np.random.default_rng(0).shuffle(spellings)
    word_list = WordList([words[spelling] for spelling in spellings])
    distances = np.min([word_list.distances(spoken) for spoken in keyword.spoken], axis=0)
    order = np.argsort(distances, kind="stable")
    candidates = (spellings[place] for place in order if distances[place] >= nearest)
    # Both pronunciations must differ: an engine that reads text may use yet another one
    return list(itertools.islice((word for word in candidates if _is_near_miss(keyword, word)), count))


def _is_near_miss(keyword: Keyword, text: str) -> bool:
    """Whether the text is a near miss as espeak-ng pronounces it."""
    ipa = espeak().phonemes(text, keyword.language.accents[0])
    return keyword.is_near_miss(ipa)
