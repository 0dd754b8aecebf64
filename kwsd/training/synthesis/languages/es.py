"""Spanish, of America and of Spain."""

from kwsd.training.synthesis.language import Language

SPANISH = Language(
    code="es",
    name="Spanish",
    accents=("es-419", "es"),
    vowels=("a", "e", "i", "o", "u"),
    consonants=(
        "p", "b", "t", "d", "k", "ɡ", "tʃ", "f", "s", "x", "ʝ", "m", "n", "ɲ", "l", "ɾ", "r", "j", "w",
    ),
    # one sound each: b and v, seseo, yeísmo; approximants are stops between vowels
    fold={
        "β": "b", "ð": "d", "ɣ": "ɡ", "θ": "s", "ʎ": "ʝ", "ŋ": "n", "ɛ": "e",
        "aʊ": "au", "aɪ": "ai", "eɪ": "ei", "eʊ": "eu", "oɪ": "oi",
    },
    onsets=(
        "b", "d", "f", "ɡ", "k", "l", "m", "n", "p", "r", "s", "t", "tʃ", "x", "bɾ", "bl", "kɾ", "kl", "dɾ",
        "fɾ", "ɡɾ", "pɾ", "pl", "tɾ", "",
    ),
    codas=("", "", "", "n", "s", "l", "ɾ"),
    syllable_vowels=("a", "e", "i", "o", "u", "je", "we"),
    mnemonics={
        "ɾ": "r", "r": "R2", "β": "B", "ð": "D", "ɣ": "Q", "ɡ": "g", "θ": "T", "ɛ": "E", "ʎ": "l^",
        "tʃ": "tS", "ɲ": "n^", "ŋ": "N", "ʝ": "J^", "aʊ": "aU", "aɪ": "aI", "eɪ": "eI", "eʊ": "eU",
        "oɪ": "oI",
    },
    kokoro={"e": "es"},
    pico=(("es-ES", "es"),),
    contractions=((r"\bde el ", "del "), (r"\ba el ", "al ")),
)  # fmt: skip
