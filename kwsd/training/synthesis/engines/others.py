"""The small engines: hibari (PyPI hibari-tts), nanotts (PyPI py-nanotts) and flite (the program).

Each has few voices, so each speaks at several warps: played faster or slower than it was made, a voice
is another person's.
"""

import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from kwsd.training.synthesis.engines.espeak import AMERICAN, BRITISH
from kwsd.training.synthesis.phonemes import to_misaki
from kwsd.training.synthesis.speech import Floats, Line, from_int16, to_16k

HIBARI_WARPS = (0.76, 0.82, 0.88, 0.94, 1.0, 1.07, 1.15)
NANOTTS_WARPS = (0.78, 0.86, 0.94, 1.0, 1.08)
FLITE_WARPS = (0.88, 0.96, 1.04, 1.14)


@cache
def _hibari() -> Any:
    from hibari import Hibari

    return Hibari(threads=1)


class HibariVoice:
    """hibari's one voice at a warp."""

    engine = "hibari"
    accent = AMERICAN
    needs_text = False

    def __init__(self, warp: float) -> None:
        self.name = f"hibari-{warp:.2f}"
        self._warp = warp

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the seed of the breath."""
        misaki = to_misaki(line.phonemes, british=False)
        samples = _hibari().from_phonemes(misaki, speed=min(2.0, speed / self._warp), seed=take)
        return to_16k(samples, _hibari().sample_rate * self._warp)


@cache
def _nanotts() -> Any:
    from py_nanotts import NanoTTS

    return NanoTTS()


class NanoVoice:
    """SVOX Pico's American or British voice at a warp."""

    engine = "nanotts"
    needs_text = True

    def __init__(self, language: str, warp: float) -> None:
        self.name = f"nanotts-{language}-{warp:.2f}"
        self.accent = BRITISH if language == "en-GB" else AMERICAN
        self._language, self._warp = language, warp

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the pitch."""
        pcm = _nanotts().speak(line.text, self._language, speed / self._warp, pitch=0.88 + take % 25 / 100)
        return to_16k(from_int16(pcm), 16_000 * self._warp)


class FliteVoice:
    """One of flite's built-in voices at a warp."""

    engine = "flite"
    accent = AMERICAN
    needs_text = True

    def __init__(self, voice: str, warp: float) -> None:
        self.name = f"flite-{voice}-{warp:.2f}"
        self._voice, self._warp = voice, warp

    def say(self, line: Line, speed: float, take: int) -> Floats:  # noqa: ARG002
        """As Voice.say; there is one take."""
        import soundfile

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "flite.wav"
            stretch = f"duration_stretch={self._warp / speed:.3f}"
            subprocess.run(
                ["flite", "-voice", self._voice, "--setf", stretch, "-t", line.text, "-o", file], check=True
            )
            samples, rate = soundfile.read(file, dtype="float32")
        return to_16k(samples, rate * self._warp)
