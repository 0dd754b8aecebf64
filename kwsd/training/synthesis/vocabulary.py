"""Speaks thousands of words and phrases in the voices that need the least time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kwsd.errors import AudioError
from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.plan import ENDINGS, MAX_SPEED, MIN_SPEED
from kwsd.training.synthesis.speech import Line, Voice, finish

FAST_ENGINES = ("hibari", "espeak")  # 120 and 400 times as fast as the speech lasts


@dataclass(frozen=True)
class SpokenText:
    """A text, the name of the voice, and what it said: int16, (n,), as `finish` returns it."""

    text: str
    voice: str
    audio: npt.NDArray[np.int16]


def spoken(
    texts: Iterable[str], language: Language, voices: Sequence[Voice], seed: int
) -> Iterator[SpokenText]:
    """Each text in a random one of the voices, at a random speed.

    What an engine cannot say, such as a text that comes out silent, is left out.
    """
    for number, text in enumerate(texts):
        random = np.random.default_rng([seed, number])
        voice = voices[int(random.integers(len(voices)))]
        ending = ENDINGS[random.integers(len(ENDINGS))]
        ipa = espeak().phonemes(text, voice.accent)
        speed, take = round(float(random.uniform(MIN_SPEED, MAX_SPEED)), 2), int(random.integers(1000))
        speech = voice.say(Line(text + ending, ipa + ending), speed, take)
        try:
            audio = finish(speech, len(language.sounds(ipa)))
        except AudioError:
            continue
        yield SpokenText(text, voice.name, audio)
