"""The keyword as every accent says it, and whether something else holds it or is near it."""

from functools import cached_property

from kwsd.errors import UsageError
from kwsd.training.synthesis.engines.espeak import ACCENTS, espeak
from kwsd.training.synthesis.phonemes import Sounds, WordList, contains, sounds


class Keyword:
    """A word or phrase. pronunciations: IPA by accent. Raises UsageError for a text nobody could say."""

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
        """Whether an IPA string holds the keyword in any accent, across word boundaries too."""
        heard = sounds(ipa)
        return any(contains(heard, spoken) for spoken in self.spoken)

    def distance(self, ipa: str) -> float:
        """Weighted phoneme edits to the nearest accent's keyword; 0 is the keyword itself."""
        return float(self._words.distances(sounds(ipa)).min())
