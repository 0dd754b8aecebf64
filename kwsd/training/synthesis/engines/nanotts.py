"""nanotts (PyPI py-nanotts): SVOX Pico's American and British voices, which read text."""

import importlib.util
import sys
from functools import cache
from typing import Any

from kwsd.training.synthesis.engines.espeak import AMERICAN, BRITISH
from kwsd.training.synthesis.speech import Floats, Line, MissingEngineError, from_int16, to_16k

RATE_HZ = 16_000
# Factors on the sampling rate. Each sounds like another person: see `to_16k`
WARPS = (0.78, 0.86, 0.94, 1.0, 1.08)


def nanotts_voices() -> "list[NanoVoice]":
    """Both voices at every warp. Raises MissingEngineError."""
    if importlib.util.find_spec("py_nanotts") is None:
        on_mac = sys.platform == "darwin"
        raise MissingEngineError("there is no build for macOS" if on_mac else "pip install 'kwsd[synth]'")
    return [NanoVoice(language, warp) for language in ("en-US", "en-GB") for warp in WARPS]


class NanoVoice:
    """One language's voice at one warp."""

    engine = "nanotts"
    needs_text = True

    def __init__(self, language: str, warp: float) -> None:
        self.name = f"nanotts-{language}-{warp:.2f}"
        self.accent = BRITISH if language == "en-GB" else AMERICAN
        self._language, self._warp = language, warp

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the pitch."""
        pcm = _nanotts().speak(line.text, self._language, speed / self._warp, pitch=0.88 + take % 25 / 100)
        return to_16k(from_int16(pcm), RATE_HZ * self._warp)


@cache
def _nanotts() -> Any:
    from py_nanotts import NanoTTS

    return NanoTTS()
