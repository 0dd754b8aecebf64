"""The voices of all synthesis engines that are installed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from kwsd.training.synthesis.engines.espeak import espeak_voices
from kwsd.training.synthesis.engines.flite import flite_voices
from kwsd.training.synthesis.engines.hibari import hibari_voices
from kwsd.training.synthesis.engines.kokoro import kokoro_voices
from kwsd.training.synthesis.engines.nanotts import nanotts_voices
from kwsd.training.synthesis.speech import MissingEngineError, Voice

Voices = dict[str, Sequence[Voice]]  # by engine


def find_voices(kokoro: Path | None) -> tuple[Voices, list[str]]:
    """The voices by engine, and one line for each engine that is not installed.

    kokoro: folder with Kokoro's ONNX model and, in ``voices/``, its styles.
    Raises UsageError if espeak-ng is not installed or the folder lacks the styles or the model.
    """
    engines: dict[str, Callable[[], Sequence[Voice]]] = {
        "espeak": espeak_voices,
        "hibari": hibari_voices,
        "kokoro": lambda: kokoro_voices(kokoro),
        "nanotts": nanotts_voices,
        "flite": flite_voices,
    }
    voices: Voices = {}
    missing = []
    for name, voices_of_engine in engines.items():
        try:
            voices[name] = voices_of_engine()
        except MissingEngineError as error:
            missing.append(f"{name} is not used: {error}")
    return voices, missing
