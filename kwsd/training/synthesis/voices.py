"""The voices of all synthesis engines that are installed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from kwsd.training.synthesis.engines.espeak import espeak_voices
from kwsd.training.synthesis.engines.flite import flite_voices
from kwsd.training.synthesis.engines.hibari import hibari_voices
from kwsd.training.synthesis.engines.kokoro import kokoro_voices
from kwsd.training.synthesis.engines.nanotts import nanotts_voices
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.speech import MissingEngineError, Voice

Voices = dict[str, Sequence[Voice]]  # by engine


def find_voices(kokoro: Path | None, language: Language = ENGLISH) -> tuple[Voices, list[str]]:
    """The voices of a language by engine, and lines that say what is missing.

    kokoro: folder with Kokoro's ONNX model and, in ``voices/``, its styles.
    Raises UsageError if espeak-ng is not installed or the folder lacks the styles or the model.
    """
    engines: dict[str, Callable[[], Sequence[Voice]]] = {
        "espeak": lambda: espeak_voices(language),
        "hibari": lambda: hibari_voices(language),
        "kokoro": lambda: kokoro_voices(kokoro, language),
        "nanotts": lambda: nanotts_voices(language),
        "flite": lambda: flite_voices(language),
    }
    voices: Voices = {}
    missing = []
    for name, voices_of_engine in engines.items():
        try:
            if found := voices_of_engine():
                voices[name] = found
        except MissingEngineError as error:
            missing.append(f"{name} is not used: {error}")
    if "kokoro" in voices and not language.kokoro:
        missing.append(
            f"Kokoro has no {language.name} voices, and its others speak with an accent: "
            "expect real people to be missed more often"
        )
    return voices, missing
