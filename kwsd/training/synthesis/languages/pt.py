"""Portuguese, of Brazil and, in espeak-ng's voices alone, of Portugal."""

from kwsd.training.synthesis.language import Language

PORTUGUESE = Language(
    code="pt",
    name="Portuguese",
    accents=("pt-br", "pt"),
    vowels=("i", "e", "ɛ", "a", "ɔ", "o", "u", "ɐ̃", "õ", "ũ", "ɐ̃ʊ̃"),
    consonants=(
        "p", "b", "t", "d", "k", "ɡ", "tʃ", "dʒ", "f", "v", "s", "z", "ʃ", "ʒ", "x", "m", "n", "ɲ", "ŋ", "l",
        "ʎ", "ɾ", "j", "w",
    ),
    fold={
        "æ": "a", "ɐ": "a", "ɑ": "a", "ʊ": "u", "ɪ": "i", "y": "i", "ɨ": "i", "r": "ɾ", "ɹ": "ɾ", "ʁ": "x",
        "aɪ": "ai", "aʊ": "au", "eɪ": "ei", "eʊ": "eu", "iʊ": "iu", "oɪ": "oi", "uɪ": "ui", "ɛɪ": "ɛi",
        "ɛʊ": "ɛu", "ɔɪ": "ɔi",
    },
    onsets=(
        "b", "d", "f", "ɡ", "k", "l", "m", "n", "p", "x", "s", "t", "v", "z", "ʃ", "ʒ", "bɾ", "dɾ", "fɾ",
        "ɡɾ", "kl", "kɾ", "pl", "pɾ", "tɾ", "kw", "",
    ),
    codas=("", "", "", "", "s", "ɾ", "ŋ", "w"),
    syllable_vowels=("i", "e", "ɛ", "a", "ɔ", "o", "u", "ɐ̃", "ɐ̃ʊ̃", "eɪ"),
    mnemonics={
        "æ": "&", "ɐ": "&", "ɑ": "A", "ʊ": "U", "ɪ": "I", "ɨ": "y", "ɾ": "*", "r": "R", "ɹ": "R", "ʁ": "x",
        "ɐ̃": "&~", "ɐ̃ʊ̃": "&U~", "ũ": "u~", "õ": "o~", "ɛ": "E", "ɔ": "O", "ŋ": "N", "ʒ": "Z", "ʃ": "S",
        "ɲ": "n^", "ʎ": "l^", "ɡ": "g", "tʃ": "tS", "dʒ": "dZ", "ə": "@-", "aɪ": "aI", "aʊ": "aU", "eɪ": "eI",
        "eʊ": "eU", "iʊ": "iU", "oɪ": "oI", "uɪ": "uI", "ɛɪ": "EI", "ɛʊ": "EU", "ɔɪ": "OI",
    },
    kokoro={"p": "pt-br"},
    contractions=((r"\bde o ", "do "), (r"\bde a ", "da "), (r"\bem o ", "no "), (r"\bem a ", "na ")),
)  # fmt: skip
