"""French."""

from kwsd.training.synthesis.language import Language

FRENCH = Language(
    code="fr",
    name="French",
    accents=("fr",),
    vowels=("i", "y", "u", "e", "ø", "o", "ə", "ɛ", "œ", "ɔ", "a", "ɑ̃", "ɛ̃", "ɔ̃"),
    consonants=(
        "p", "b", "t", "d", "k", "ɡ", "f", "v", "s", "z", "ʃ", "ʒ", "m", "n", "ɲ", "l", "ʁ", "j", "w",
    ),
    fold={
        "œ̃": "ɛ̃", "ɑ": "a", "ɪ": "i", "ʊ": "u", "ɜ": "œ", "ɒ": "ɔ", "r": "ʁ", "ɹ": "ʁ", "ŋ": "n", "θ": "s",
        "ð": "z", "əʊ": "o", "eɪ": "e", "aɪ": "aj",
    },
    onsets=(
        "b", "d", "f", "ɡ", "k", "l", "m", "n", "p", "ʁ", "s", "t", "v", "z", "ʃ", "ʒ", "bl", "bʁ", "dʁ",
        "fl", "fʁ", "ɡʁ", "kl", "kʁ", "pl", "pʁ", "tʁ", "vw", "",
    ),
    codas=("", "", "", "", "t", "s", "k", "l", "m", "n", "ʁ", "ʒ", "j"),
    syllable_vowels=("i", "y", "u", "e", "ø", "o", "ɛ", "œ", "ɔ", "a", "ɑ̃", "ɛ̃", "ɔ̃"),
    mnemonics={
        "ʁ": "r", "ɛ": "E", "ɑ̃": "A~", "ɔ̃": "O~", "ɛ̃": "E~", "œ̃": "W~", "ɔ": "O", "ə": "@", "œ": "W",
        "ø": "Y", "ʒ": "Z", "ʃ": "S", "ɡ": "g", "ɲ": "n^", "ŋ": "N", "ɪ": "I", "əʊ": "oU", "eɪ": "eI",
        "aɪ": "aI", "ɑ": "a", "tʃ": "tS", "dʒ": "dZ",
    },
    kokoro={"f": "fr"},
    pico=(("fr-FR", "fr"),),
    contractions=(
        (r"\bde le ", "du "), (r"\bde les ", "des "), (r"\bque (?=[aeiouéè])", "qu'"),
        (r"\bde (?=[aeiouéè])", "d'"),
    ),
)  # fmt: skip
