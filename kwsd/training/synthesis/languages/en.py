"""English, in seven accents."""

from kwsd.training.synthesis.language import Language

AMERICAN, BRITISH = "en-us", "en"

ENGLISH = Language(
    code="en",
    name="English",
    accents=(
        AMERICAN,
        BRITISH,
        "en-gb-scotland",
        "en-gb-x-rp",
        "en-gb-x-gbclan",
        "en-us-nyc",
        "en-029",
    ),
    vowels=(
        "i", "ɪ", "ɛ", "æ", "ə", "ɜ", "ʌ", "ɑ", "ɒ", "ɔ", "ʊ", "u", "eɪ", "aɪ", "ɔɪ", "aʊ", "oʊ",
    ),
    consonants=(
        "p", "b", "t", "d", "k", "ɡ", "tʃ", "dʒ", "f", "v", "θ", "ð", "s", "z", "ʃ", "ʒ", "h", "m", "n", "ŋ",
        "l", "ɹ", "j", "w",
    ),
    # flaps, reduced vowels, Scottish and RP vowels
    fold={
        "ɾ": "t", "r": "ɹ", "g": "ɡ", "ɫ": "l", "x": "k", "ɚ": "əɹ", "ɐ": "ə", "ᵻ": "ɪ", "ᵊ": "ə",
        "n̩": "ən", "l̩": "əl", "a": "æ", "ʉ": "u", "o": "oʊ", "əʊ": "oʊ", "e": "eɪ", "ʍ": "w",
    },
    dropped_r="ɹ",  # many accents drop it
    onsets=(
        "b", "d", "f", "ɡ", "h", "k", "l", "m", "n", "p", "ɹ", "s", "t", "v", "w", "j", "ʃ", "tʃ", "dʒ", "θ",
        "bɹ", "kl", "kɹ", "dɹ", "fl", "ɡɹ", "pl", "pɹ", "sk", "sl", "sm", "sn", "sp", "st", "stɹ", "tɹ", "",
    ),
    codas=("", "", "n", "t", "d", "s", "z", "k", "l", "m", "p", "ŋ", "st", "nt", "ɹ"),
    syllable_vowels=("iː", "ɪ", "ɛ", "æ", "ə", "ʌ", "ɑː", "ɔː", "uː", "eɪ", "aɪ", "oʊ"),
    mnemonics={
        "ɑ": "A:", "ɪ": "I", "ᵻ": "I2", "i": "i:", "u": "u:", "ʊ": "U", "ɛ": "E", "æ": "a", "a": "a",
        "ʌ": "V", "ɔ": "O:", "ɒ": "0", "ə": "@", "ɐ": "a#", "ɚ": "3", "ɜ": "3:", "eɪ": "eI", "aɪ": "aI",
        "aʊ": "aU", "ɔɪ": "OI", "oʊ": "oU", "əʊ": "oU", "ŋ": "N", "θ": "T", "ð": "D", "ʃ": "S", "ʒ": "Z",
        "tʃ": "tS", "dʒ": "dZ", "ɹ": "r", "ɾ": "t#", "ɡ": "g", "l̩": "@L", "n̩": "@n", "e": "eI", "o": "oU",
        "ʉ": "u:", "ʍ": "w", "ʔ": "t", "ʲ": "",
    },
    # diphthongs and affricates are one letter; the first eight hold in both directions
    misaki=(
        ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q"), ("tʃ", "ʧ"),
        ("dʒ", "ʤ"), ("ɚ", "əɹ"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("ɐ", "ə"), ("r", "ɹ"), ("ɾ", "T"), ("g", "ɡ"),
    ),
    without_length=(AMERICAN,),
    kokoro={"a": AMERICAN, "b": BRITISH},
    pico=(("en-US", AMERICAN), ("en-GB", BRITISH)),
    contractions=((r"\ba (?=[aeiou])", "an "),),
)  # fmt: skip
