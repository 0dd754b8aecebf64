"""flite, the program: four American voices, which read text."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import AMERICAN, ENGLISH
from kwsd.training.synthesis.speech import Floats, Line, MissingEngineError, to_16k

VOICES = ("kal16", "awb", "rms", "slt")
# Factors on the sampling rate. Each sounds like another person: see `to_16k`
WARPS = (0.88, 0.96, 1.04, 1.14)


def flite_voices(language: Language) -> "list[FliteVoice]":
    """Every voice at every warp, for English. Raises MissingEngineError."""
    if language is not ENGLISH:
        return []
    if shutil.which("flite") is None:
        raise MissingEngineError("apt install flite")
    return [FliteVoice(voice, warp) for voice in VOICES for warp in WARPS]


class FliteVoice:
    """One of flite's built-in voices at one warp."""

    engine = "flite"
    accent = AMERICAN
    needs_text = True

    def __init__(self, voice: str, warp: float) -> None:
        self.name = f"flite-{voice}-{warp:.2f}"
        self._voice, self._warp = voice, warp

    def say(self, line: Line, speed: float, take: int) -> Floats:  # noqa: ARG002
        """As Voice.say; every take is the same."""
        import soundfile

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "flite.wav"
            stretch = f"duration_stretch={self._warp / speed:.3f}"
            subprocess.run(
                ["flite", "-voice", self._voice, "--setf", stretch, "-t", line.text, "-o", file], check=True
            )
            samples, rate = soundfile.read(file, dtype="float32")
        return to_16k(samples, rate * self._warp)
