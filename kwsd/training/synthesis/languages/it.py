"""Italian."""

from kwsd.training.synthesis.language import Language

ITALIAN = Language(
    code="it",
    name="Italian",
    accents=("it",),
    vowels=("a", "e", "ɛ", "i", "o", "ɔ", "u"),
    consonants=(
        "p", "b", "t", "d", "k", "ɡ", "ts", "dz", "tʃ", "dʒ", "f", "v", "s", "z", "ʃ", "m", "n", "ɲ", "l",
        "ʎ", "r", "j", "w",
    ),
    fold={"ɪ": "i", "ʊ": "u", "ɾ": "r", "ŋ": "n", "aɪ": "ai", "aʊ": "au", "eɪ": "ei", "oʊ": "ou"},
    onsets=(
        "b", "d", "f", "ɡ", "k", "l", "m", "n", "p", "r", "s", "t", "v", "tʃ", "dʒ", "ʃ", "br", "kr", "dr",
        "fr", "ɡr", "pr", "tr", "sp", "st", "sk", "str", "pj", "kw", "",
    ),
    codas=("", "", "", "", "n", "l", "r"),
    syllable_vowels=("a", "e", "ɛ", "i", "o", "ɔ", "u", "ja", "jɛ", "wɔ"),
    mnemonics={
        "ɪ": "I", "ʊ": "U", "ɛ": "E", "ɔ": "O", "r": "R", "ɾ": "*", "tʃ": "tS", "dʒ": "dZ", "ʃ": "S",
        "ɲ": "n^", "ʎ": "l^", "ŋ": "N", "ɡ": "g", "aɪ": "aI", "aʊ": "aU", "eɪ": "eI", "oʊ": "oU",
    },
    kokoro={"i": "it"},
    pico=(("it-IT", "it"),),
    contractions=(
        (r"\bdi il ", "del "), (r"\ba il ", "al "), (r"\bdi la ", "della "), (r"\ba la ", "alla "),
    ),
)  # fmt: skip
