"""The pronunciations of a keyword, and whether other speech contains it or sounds like it."""

from functools import cached_property

from kwsd.errors import UsageError
from kwsd.training.synthesis.engines.espeak import ACCENTS, espeak
from kwsd.training.synthesis.phoneme_distance import WordList
from kwsd.training.synthesis.phonemes import Sounds, contains, sounds


class Keyword:
    """A word or phrase; `pronunciations` has its IPA by accent.

    Raises UsageError if the text cannot be pronounced, or espeak-ng is not installed.
    """

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self.pronunciations = {accent: espeak().phonemes(self.text, accent) for accent in ACCENTS}
        if not all(sounds(ipa) for ipa in self.pronunciations.values()):
            raise UsageError(f"'{text}' has no English pronunciation; spell the keyword as an English word")

    @cached_property
    def spoken(self) -> frozenset[Sounds]:
        """Its sounds in every accent."""
        return frozenset(sounds(ipa) for ipa in self.pronunciations.values())

    @cached_property
    def _words(self) -> WordList:
        return WordList(sorted(self.spoken))

    def said_in(self, ipa: str) -> bool:
        """Whether an IPA string contains the keyword in any accent, also across word boundaries."""
        speech = sounds(ipa)
        return any(contains(speech, spoken) for spoken in self.spoken)

    def distance(self, ipa: str) -> float:
        """The phoneme distance to the most similar pronunciation of the keyword; 0 is the keyword itself."""
        return float(self._words.distances(sounds(ipa)).min())
