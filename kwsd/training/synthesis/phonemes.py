"""Speech sounds: what distinguishes them.

In an IPA string, words are separated by spaces, and there may be punctuation. A sound is a phoneme without
stress and length, folded so that a word has (nearly) the same sounds in all accents of its language.
"""

Sounds = tuple[str, ...]

# Height (0 closed to 3 open), backness (0 front to 2 back), rounding and nasality, after the IPA chart
VOWEL_FEATURES = {
    "i": (0, 0, 0, 0), "ɪ": (0.6, 0.4, 0, 0), "ɛ": (2, 0.2, 0, 0), "æ": (3, 0.3, 0, 0), "ə": (1.5, 1, 0, 0),
    "ɜ": (1.8, 1, 0, 0), "ʌ": (2.3, 1.4, 0, 0), "ɑ": (3, 1.7, 0, 0), "ɒ": (3, 2, 1, 0), "ɔ": (2, 2, 1, 0),
    "ʊ": (0.6, 1.6, 1, 0), "u": (0, 2, 1, 0), "e": (1, 0, 0, 0), "a": (3, 0.8, 0, 0), "o": (1, 2, 1, 0),
    "y": (0, 0, 1, 0), "ʏ": (0.6, 0.4, 1, 0), "ø": (1, 0, 1, 0), "œ": (2, 0.2, 1, 0),
    "eɪ": (1, 0.1, 0, 0), "aɪ": (2, 0.8, 0, 0), "ɔɪ": (1.4, 1.3, 0.5, 0), "aʊ": (2, 1.3, 0.5, 0),
    "oʊ": (1, 1.9, 1, 0), "œy": (1.4, 0.2, 1, 0),
    "ɑ̃": (3, 1.7, 0, 1), "ɛ̃": (2, 0.2, 0, 1), "ɔ̃": (2, 2, 1, 1), "ɐ̃": (2.3, 1, 0, 1), "õ": (1, 2, 1, 1),
    "ũ": (0, 2, 1, 1), "ɐ̃ʊ̃": (2, 1.3, 0.5, 1),
}  # fmt: skip
DIPHTHONGS = {"eɪ", "aɪ", "ɔɪ", "aʊ", "oʊ", "œy", "ɐ̃ʊ̃"}

# Place (0 lips to 5 throat), manner and voicing
CONSONANT_FEATURES = {
    "p": (0, "stop", 0), "b": (0, "stop", 1), "t": (2, "stop", 0), "d": (2, "stop", 1), "k": (4, "stop", 0),
    "ɡ": (4, "stop", 1), "ts": (2, "affricate", 0), "dz": (2, "affricate", 1), "tʃ": (3, "affricate", 0),
    "dʒ": (3, "affricate", 1), "f": (0.5, "fricative", 0), "v": (0.5, "fricative", 1),
    "θ": (1, "fricative", 0), "ð": (1, "fricative", 1), "s": (2, "fricative", 0), "z": (2, "fricative", 1),
    "ʃ": (3, "fricative", 0), "ʒ": (3, "fricative", 1), "ç": (3.4, "fricative", 0),
    "ʝ": (3.4, "fricative", 1), "x": (4, "fricative", 0), "h": (5, "fricative", 0), "m": (0, "nasal", 1),
    "n": (2, "nasal", 1), "ɲ": (3, "nasal", 1), "ŋ": (4, "nasal", 1), "l": (2, "liquid", 1),
    "ʎ": (3, "liquid", 1), "ɹ": (2.5, "liquid", 1), "ʁ": (4.5, "liquid", 1), "ɾ": (2, "tap", 1),
    "r": (2, "trill", 1), "j": (3, "glide", 1), "w": (0.5, "glide", 1),
}  # fmt: skip

ALL_SOUNDS = (*VOWEL_FEATURES, *CONSONANT_FEATURES)


def contains(word: Sounds, part: Sounds) -> bool:
    """Whether the sounds of `part` occur consecutively in `word`."""
    return any(word[start : start + len(part)] == part for start in range(len(word) - len(part) + 1))
