"""The engines' phoneme alphabets: misaki's, which Kokoro and hibari read, and espeak-ng's mnemonics."""

from kwsd.training.synthesis.phonemes import split

# (IPA, misaki): diphthongs and affricates are one letter; the first eight hold in both directions
_MISAKI = (
    ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"), ("oʊ", "O"), ("əʊ", "Q"), ("tʃ", "ʧ"), ("dʒ", "ʤ"),
    ("ɚ", "əɹ"), ("n̩", "ᵊn"), ("l̩", "ᵊl"), ("ɐ", "ə"), ("r", "ɹ"), ("ɾ", "T"), ("g", "ɡ"),
)  # fmt: skip


def to_misaki(ipa: str, british: bool) -> str:
    """IPA in misaki's alphabet, which has length marks for British voices only."""
    for written, letter in _MISAKI:
        ipa = ipa.replace(written, letter)
    return ipa if british else ipa.replace("ː", "")


def from_misaki(letters: str) -> str:
    """A pronunciation in misaki's lexicon as IPA."""
    for written, letter in (*_MISAKI[:8], ("ɾ", "T"), ("ə", "ᵊ"), ("ɪ", "ᵻ"), ("t", "ʔ")):
        letters = letters.replace(letter, written)
    return letters


_MNEMONICS = {
    "ɑ": "A:", "ɪ": "I", "ᵻ": "I2", "i": "i:", "u": "u:", "ʊ": "U", "ɛ": "E", "æ": "a", "a": "a", "ʌ": "V",
    "ɔ": "O:", "ɒ": "0", "ə": "@", "ɐ": "a#", "ɚ": "3", "ɜ": "3:", "eɪ": "eI", "aɪ": "aI", "aʊ": "aU",
    "ɔɪ": "OI", "oʊ": "oU", "əʊ": "oU", "ŋ": "N", "θ": "T", "ð": "D", "ʃ": "S", "ʒ": "Z", "tʃ": "tS",
    "dʒ": "dZ", "ɹ": "r", "ɾ": "t#", "ɡ": "g", "l̩": "@L", "n̩": "@n",
    "e": "eI", "o": "oU", "ʉ": "u:", "ʍ": "w", "ʔ": "t", "ʲ": "",
}  # fmt: skip


def to_espeak(ipa: str) -> str:
    """IPA as espeak-ng's mnemonics, which it speaks when they stand in ``[[...]]``."""
    words = []
    for word in ipa.split():
        mnemonics = ""
        for phoneme in split(word):
            stress = {"ˈ": "'", "ˌ": ","}.get(phoneme[0], "")
            bare = phoneme.strip("ˈˌː")
            mnemonics += stress + _MNEMONICS.get(bare, bare)
        words.append(mnemonics)
    return " ".join(words)
