"""Dutch. Kokoro and SVOX Pico have no Dutch voice; Kokoro's others speak it with an accent."""

from kwsd.training.synthesis.language import MISAKI, Language

DUTCH = Language(
    code="nl",
    name="Dutch",
    accents=("nl",),
    vowels=(
        "i", "ɪ", "y", "ʏ", "e", "ɛ", "ø", "a", "ɑ", "ə", "u", "o", "ɔ", "eɪ", "œy", "aʊ", "aɪ",
    ),
    consonants=(
        "p", "b", "t", "d", "k", "f", "v", "s", "z", "ʃ", "x", "h", "m", "n", "ŋ", "l", "r", "j", "w",
    ),
    fold={
        "ɣ": "x", "ʋ": "w", "ɵ": "ʏ", "ɛɪ": "eɪ", "ʌʊ": "aʊ", "ɹ": "r", "ɾ": "r", "ɒ": "ɔ", "ʒ": "ʃ",
        "ɡ": "k", "yʊ": "yu", "eʊ": "eu", "əʊ": "o",
    },
    onsets=(
        "b", "d", "f", "x", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "j", "bl", "br", "dr",
        "fl", "xr", "kl", "kr", "pl", "pr", "sx", "sl", "sp", "st", "str", "tr", "tw", "",
    ),
    codas=("", "", "n", "t", "s", "k", "l", "m", "p", "r", "x", "st", "nt", "ŋ"),
    syllable_vowels=("i", "ɪ", "ɛ", "ɑ", "aː", "ə", "ɔ", "u", "oː", "eː", "øː", "y", "ɛɪ", "œy", "ʌʊ"),
    mnemonics={
        "ɪ": "I", "ʏ": "8", "ɵ": "8", "e": "e:", "ɛ": "E", "ø": "Y:", "a": "a:", "ɑ": "A", "ə": "@",
        "o": "o:", "ɔ": "O", "ɛɪ": "EI", "eɪ": "EI", "œy": "Wy", "ʌʊ": "VU", "aʊ": "VU", "aɪ": "aI",
        "ɣ": "Q", "ʋ": "v#", "w": "v#", "ŋ": "N", "ʃ": "S", "ʒ": "Z", "ɡ": "g", "tʃ": "tS", "dʒ": "dZ",
        "ɲ": "n^", "ɒ": "0", "ɾ": "*", "ɹ": "r", "yʊ": "yU", "eʊ": "eU", "əʊ": "oU",
    },
    misaki=(("ɛɪ", "A"), ("ʌʊ", "W"), ("ɵ", "ø"), ("ʏ", "ø"), ("ʋ", "v"), *MISAKI),
)  # fmt: skip
