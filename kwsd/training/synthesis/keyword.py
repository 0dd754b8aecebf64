"""The pronunciations of a keyword, and whether other speech contains it or sounds like it."""

from functools import cached_property

from kwsd.errors import UsageError
from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.phoneme_distance import WordList
from kwsd.training.synthesis.phonemes import Sounds, contains

# Phoneme distances: the largest of a pronunciation variant, which is a positive, and the smallest of a near
# miss, which is a negative. Both grow with the keyword's length: a long one has few neighbours, and people
# vary it more. docs/experiments/2026-11-28-pronunciation-variants.md
SHORT = 4  # sounds; a keyword of no more than these has no variants
FURTHEST_STEP = 0.35  # for each further sound
NEAREST = 1.5  # for a short keyword
NEAREST_STEP = 0.6  # for each further sound


class Keyword:
    """A word or phrase; `pronunciations` has its IPA by accent.

    Raises UsageError if the text cannot be pronounced, or espeak-ng is not installed.
    """

    def __init__(self, text: str, language: Language = ENGLISH) -> None:
        self.text, self.language = " ".join(text.split()), language
        self.pronunciations = {accent: espeak().phonemes(self.text, accent) for accent in language.accents}
        if not all(language.sounds(ipa) for ipa in self.pronunciations.values()):
            raise UsageError(
                f"'{text}' has no {language.name} pronunciation; spell the keyword as in {language.name}"
            )

    @cached_property
    def spoken(self) -> frozenset[Sounds]:
        """Its sounds in every accent."""
        return frozenset(self.language.sounds(ipa) for ipa in self.pronunciations.values())

    @cached_property
    def _words(self) -> WordList:
        return WordList(sorted(self.spoken))

    def said_in(self, ipa: str) -> bool:
        """Whether an IPA string contains the keyword in any accent, also across word boundaries."""
        speech = self.language.sounds(ipa)
        return any(contains(speech, spoken) for spoken in self.spoken)

    @cached_property
    def _length(self) -> int:
        """Its sounds in the accent that has the most."""
        return max(map(len, self.spoken))

    @property
    def furthest(self) -> float:
        """The largest phoneme distance of a pronunciation variant; 0 if the keyword is too short for any."""
        return FURTHEST_STEP * max(0, self._length - SHORT)

    @property
    def nearest(self) -> float:
        """The smallest phoneme distance of a near miss."""
        return NEAREST + NEAREST_STEP * max(0, self._length - SHORT)

    def is_near_miss(self, ipa: str) -> bool:
        """Whether an IPA string is far enough from the keyword (`nearest`), and does not contain it."""
        return self.distance(ipa) >= self.nearest and not self.said_in(ipa)

    def distance(self, ipa: str) -> float:
        """The phoneme distance to the most similar pronunciation of the keyword; 0 is the keyword itself."""
        return float(self._words.distances(self.language.sounds(ipa)).min())

    def distance_in(self, ipa: str) -> float:
        """The phoneme distance of the part of an IPA string that is most similar to the keyword."""
        sounds, longest = self.language.sounds(ipa), 2 * self._length
        starts = range(len(sounds))
        parts = [sounds[at : at + length] for at in starts for length in range(1, longest + 1)]
        return min(float(WordList(parts).distances(spoken).min()) for spoken in self.spoken)
