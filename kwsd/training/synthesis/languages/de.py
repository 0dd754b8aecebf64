"""German. Kokoro has no German voice; its others speak it with an accent."""

from kwsd.training.synthesis.language import MISAKI, Language

GERMAN = Language(
    code="de",
    name="German",
    accents=("de",),
    vowels=(
        "i", "ɪ", "y", "ʏ", "e", "ɛ", "ø", "œ", "a", "ə", "u", "ʊ", "o", "ɔ", "aɪ", "aʊ", "ɔɪ",
    ),
    consonants=(
        "p", "b", "t", "d", "k", "ɡ", "ts", "tʃ", "f", "v", "s", "z", "ʃ", "ç", "x", "h", "m", "n", "ŋ", "l",
        "ʁ", "j",
    ),
    fold={
        "ɑ": "a", "ɾ": "ʁ", "r": "ʁ", "ɜ": "ə", "ɐ": "ə", "ɔø": "ɔɪ", "ʊɐ": "ʊ", "ɒ": "ɔ", "ʒ": "ʃ",
        "eɪ": "e", "əʊ": "o", "ɑ̃": "aŋ", "ɔ̃": "ɔŋ",
    },
    dropped_r="ʁ",
    onsets=(
        "b", "d", "f", "ɡ", "h", "k", "l", "m", "n", "p", "ʁ", "z", "t", "v", "j", "ʃ", "ts", "bl", "bʁ",
        "dʁ", "fl", "fʁ", "ɡl", "ɡʁ", "kl", "kʁ", "pl", "pʁ", "ʃl", "ʃm", "ʃt", "ʃp", "ʃv", "tʁ", "tsv", "",
    ),
    codas=("", "", "n", "t", "s", "k", "l", "m", "p", "f", "ŋ", "st", "nt", "ʁ", "ç", "x"),
    syllable_vowels=("iː", "ɪ", "ɛ", "a", "ə", "ɔ", "ʊ", "uː", "oː", "eː", "øː", "yː", "aɪ", "aʊ", "ɔɪ"),
    mnemonics={
        "i": "i:", "ɪ": "I", "y": "y:", "ʏ": "y", "e": "e:", "ɛ": "E", "ø": "Y:", "œ": "W", "ɑ": "A:",
        "ə": "@", "ɜ": "3", "u": "u:", "ʊ": "U", "ʊɐ": "UR", "o": "o:", "ɔ": "O", "aɪ": "aI", "aʊ": "aU",
        "ɔɪ": "OY", "ɔø": "OY", "ɡ": "g", "tʃ": "tS", "dʒ": "dZ", "ʃ": "S", "ʒ": "Z", "ç": "C", "ŋ": "N",
        "ʁ": "r", "ɾ": "r", "r": "R", "ɒ": "0", "eɪ": "eI", "əʊ": "oU", "ɑ̃": "A~", "ɔ̃": "O~",
    },
    misaki=(("ɔø", "Y"), ("ʏ", "y"), ("ɾ", "ʁ"), ("r", "ʁ"), ("ɜ", "ɐ"), *MISAKI),
    pico=(("de-DE", "de"),),
)  # fmt: skip
