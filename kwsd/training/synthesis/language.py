"""What the synthesis has to know of a language: its sounds, their names in the engines, its voices."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from kwsd.training.synthesis.phonemes import Sounds

# What misaki makes of espeak-ng's phonemes for Kokoro: affricates and diphthongs are one letter
MISAKI = (
    ("tʃ", "ʧ"), ("dʒ", "ʤ"), ("ts", "ʦ"), ("dz", "ʣ"), ("eɪ", "A"), ("aɪ", "I"), ("aʊ", "W"), ("ɔɪ", "Y"),
    ("oʊ", "O"), ("əʊ", "Q"),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Language:
    """A language in which a keyword can be. All sounds are IPA, as espeak-ng writes it.

    code: ISO 639-1, also the name of its sentences in languages/CODE.txt. name: in English.
    accents: espeak-ng's voices; the first is the reference, and the first two are those of most speakers.
    vowels, consonants: its sounds, which have features in kwsd.training.synthesis.phonemes.
    fold: the sounds that an espeak-ng phoneme stands for, where it is none of these. Differences that do not
    distinguish words, such as those between accents, are folded. dropped_r: an r that is only heard before a
    vowel.
    onsets, codas, syllable_vowels: for invented syllables.
    mnemonics: espeak-ng's name of a phoneme, where it is not the phoneme itself.
    misaki: (IPA, letters of Kokoro's alphabet), replaced in this order. without_length: accents for which the
    alphabet has no length marks.
    kokoro: accent of Kokoro's native styles by the first letter of their names. Other styles speak the first
    accent. pico: (voice of nanotts, accent).
    contractions: (regular expression, replacement) for the sentences.
    """

    code: str
    name: str
    accents: tuple[str, ...]
    vowels: tuple[str, ...]
    consonants: tuple[str, ...]
    fold: Mapping[str, str]
    onsets: tuple[str, ...]
    codas: tuple[str, ...]
    syllable_vowels: tuple[str, ...]
    mnemonics: Mapping[str, str]
    misaki: tuple[tuple[str, str], ...] = MISAKI
    dropped_r: str = ""
    without_length: tuple[str, ...] = ()
    kokoro: Mapping[str, str] = field(default_factory=dict)
    pico: tuple[tuple[str, str], ...] = ()
    contractions: tuple[tuple[str, str], ...] = ()

    @cached_property
    def inventory(self) -> tuple[str, ...]:
        """Its vowels and consonants."""
        return self.vowels + self.consonants

    @cached_property
    def _long(self) -> str:
        """A regular expression for the phonemes of more than one letter."""
        written = {phoneme for phoneme in (*self.inventory, *self.fold) if len(phoneme) > 1}
        return "|".join(sorted(written, key=lambda phoneme: (-len(phoneme), phoneme)))

    @cached_property
    def _sound(self) -> re.Pattern[str]:
        return re.compile(rf"({self._long}|[^\W\d_])")

    @cached_property
    def _stressed(self) -> re.Pattern[str]:
        return re.compile(rf"[ˈˌ]?(?:{self._long}|[^\W\d_ˈˌː])ː?")

    def sounds(self, ipa: str) -> Sounds:
        """The folded sounds of an IPA string, without word boundaries, which cannot be heard."""
        folded: list[str] = []
        for phoneme in self._sound.findall(ipa.translate(_MARKS)):
            written = self.fold.get(phoneme, phoneme)
            pieces = [written] if written in self.inventory else list(written)
            folded += [piece for piece in pieces if piece in self.inventory]
        return tuple(
            sound
            for place, sound in enumerate(folded)
            if sound != self.dropped_r or (place + 1 < len(folded) and folded[place + 1] in self.vowels)
        )

    def split(self, word: str) -> list[str]:
        """The phonemes of one word, each with the stress mark before it and the length mark after it."""
        return self._stressed.findall(word)

    def is_vowel(self, phoneme: str) -> bool:
        """Whether a phoneme, as `split` returns it, is a vowel."""
        after = self.vowels[0]  # keeps an r
        return any(sound in self.vowels for sound in self.sounds(phoneme + after)[:-1])


_MARKS = str.maketrans("", "", "ˈˌː")  # stress and length
