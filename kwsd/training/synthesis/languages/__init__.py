"""The languages that keywords can be in, by their codes."""

from kwsd.training.synthesis.languages.de import GERMAN
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.languages.es import SPANISH
from kwsd.training.synthesis.languages.fr import FRENCH
from kwsd.training.synthesis.languages.it import ITALIAN
from kwsd.training.synthesis.languages.nl import DUTCH
from kwsd.training.synthesis.languages.pt import PORTUGUESE

LANGUAGES = {
    language.code: language for language in (ENGLISH, GERMAN, SPANISH, FRENCH, ITALIAN, DUTCH, PORTUGUESE)
}
