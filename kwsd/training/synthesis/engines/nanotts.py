"""nanotts (PyPI py-nanotts): SVOX Pico's voices, which read text."""

import importlib.util
import sys
from functools import cache
from typing import Any

from kwsd.resources import installing
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.speech import Floats, Line, MissingEngineError, from_int16, to_16k

RATE_HZ = 16_000
# Factors on the sampling rate. Each sounds like another person: see `to_16k`
WARPS = (0.78, 0.86, 0.94, 1.0, 1.08)


def nanotts_voices(language: Language) -> "list[NanoVoice]":
    """The language's voices at every warp. Raises MissingEngineError."""
    if not language.pico:
        return []
    if importlib.util.find_spec("py_nanotts") is None:
        on_mac = sys.platform == "darwin"
        raise MissingEngineError("there is no build for macOS" if on_mac else installing("synth"))
    return [NanoVoice(voice, accent, warp) for voice, accent in language.pico for warp in WARPS]


class NanoVoice:
    """One voice at one warp."""

    engine = "nanotts"
    needs_text = True

    def __init__(self, voice: str, accent: str, warp: float) -> None:
        self.name = f"nanotts-{voice}-{warp:.2f}"
        self.accent = accent
        self._voice, self._warp = voice, warp

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the pitch."""
        pcm = _nanotts().speak(line.text, self._voice, speed / self._warp, pitch=0.88 + take % 25 / 100)
        return to_16k(from_int16(pcm), RATE_HZ * self._warp)


@cache
def _nanotts() -> Any:
    from py_nanotts import NanoTTS

    return NanoTTS()
