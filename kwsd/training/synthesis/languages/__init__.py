"""The languages that keywords can be in, by their codes."""

from kwsd.errors import UsageError
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import ENGLISH

LANGUAGES = {language.code: language for language in (ENGLISH,)}


def find_language(code: str) -> Language:
    """The language with this code. Raises UsageError, which names those that there are."""
    if code not in LANGUAGES:
        known = ", ".join(f"{language.code} ({language.name})" for language in LANGUAGES.values())
        raise UsageError(f"there is no language '{code}'; these are known: {known}")
    return LANGUAGES[code]
