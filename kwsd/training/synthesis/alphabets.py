"""The engines' phoneme alphabets: misaki's, which Kokoro and hibari read, and espeak-ng's mnemonics."""

from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import ENGLISH


def to_misaki(ipa: str, language: Language, accent: str) -> str:
    """IPA in misaki's alphabet."""
    for written, letter in language.misaki:
        ipa = ipa.replace(written, letter)
    return ipa.replace("ː", "") if accent in language.without_length else ipa


def from_misaki(letters: str) -> str:
    """A pronunciation in misaki's English lexicon as IPA."""
    for written, letter in (*ENGLISH.misaki[:8], ("ɾ", "T"), ("ə", "ᵊ"), ("ɪ", "ᵻ"), ("t", "ʔ")):
        letters = letters.replace(letter, written)
    return letters


def to_espeak(ipa: str, language: Language) -> str:
    """IPA as espeak-ng's mnemonics, which it speaks when they stand in ``[[...]]``."""
    words = []
    for word in ipa.split():
        mnemonics = ""
        for phoneme in language.split(word):
            stress = {"ˈ": "'", "ˌ": ","}.get(phoneme[0], "")
            bare = phoneme.strip("ˈˌː")
            mnemonics += stress + language.mnemonics.get(bare, bare)
        words.append(mnemonics)
    return " ".join(words)
