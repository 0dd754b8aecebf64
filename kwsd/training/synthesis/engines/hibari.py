"""hibari (PyPI hibari-tts): one American voice, which reads IPA."""

import importlib.util
from functools import cache
from typing import Any

from kwsd.resources import installing
from kwsd.training.synthesis.alphabets import to_misaki
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import AMERICAN, ENGLISH
from kwsd.training.synthesis.speech import Floats, Line, MissingEngineError, to_16k

# Factors on the sampling rate. Each sounds like another person: see `to_16k`
WARPS = (0.76, 0.82, 0.88, 0.94, 1.0, 1.07, 1.15)


def is_installed() -> bool:
    """Whether hibari can be used. Kokoro and the lexicon use files of its package, too."""
    return all(map(importlib.util.find_spec, ("hibari", "onnxruntime")))


def hibari_voices(language: Language) -> "list[HibariVoice]":
    """The voice at every warp, for English. Raises MissingEngineError."""
    if language is not ENGLISH:
        return []
    if not is_installed():
        raise MissingEngineError(installing("synth"))
    return [HibariVoice(warp) for warp in WARPS]


class HibariVoice:
    """hibari's voice at one warp."""

    engine = "hibari"
    accent = AMERICAN
    needs_text = False

    def __init__(self, warp: float) -> None:
        self.name = f"hibari-{warp:.2f}"
        self._warp = warp

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the seed of the breath noise."""
        misaki = to_misaki(line.phonemes, ENGLISH, AMERICAN)
        samples = _hibari().from_phonemes(misaki, speed=min(2.0, speed / self._warp), seed=take)
        return to_16k(samples, _hibari().sample_rate * self._warp)


@cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari(threads=1)
