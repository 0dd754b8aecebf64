"""Kokoro-82M (Apache-2.0), the engine with the best voices: 54 styles, and mixes of two for more speakers.

`kwsd kit fetch kokoro` gets model and styles. The phoneme alphabet is in hibari's package, which uses it too.
"""

import itertools
import json
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np

from kwsd.errors import UsageError
from kwsd.training.synthesis.alphabets import to_misaki
from kwsd.training.synthesis.engines import hibari
from kwsd.training.synthesis.engines.espeak import AMERICAN, BRITISH
from kwsd.training.synthesis.speech import Floats, Line, MissingEngineError, to_16k

RATE_HZ = 24_000
# Number of mixes of an English style with another, by the first letter of the other (its language)
MIXES = {"ab": 80, "efhijpz": 40}
_STYLE_SHAPE = (-1, 256)  # one row for every number of phonemes
_MELODIES = 12  # a line can use the row of a line of up to 11 phonemes more, which has another melody


class Kokoro:
    """One single-threaded session of the model."""

    def __init__(self, model: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._alphabet = alphabet()
        self._tokens = self._session.get_inputs()[0].name  # "tokens" or "input_ids", depending on the export

    def say(self, misaki: str, style: Floats, speed: float, melody: int) -> Floats:
        """Speech at RATE_HZ, (n,). style: (rows, 256). melody: number of rows to skip in the style."""
        tokens = [self._alphabet[letter] for letter in misaki if letter in self._alphabet]
        row = min(len(tokens) - 1 + melody, len(style) - 1)
        inputs = {
            self._tokens: np.array([[0, *tokens, 0]], np.int64),
            "style": style[row : row + 1],
            "speed": np.array([speed], np.float32),
        }
        samples: Floats = self._session.run(None, inputs)[0].ravel()
        return samples


def alphabet() -> dict[str, int]:
    """The letters of Kokoro's phoneme alphabet and their numbers."""
    table: dict[str, int] = json.loads(files("hibari").joinpath("assets/vocab.json").read_text("utf-8"))
    return table


def _model(folder: Path) -> Path:
    """The ONNX file in a folder. Raises UsageError without one."""
    for file in sorted(folder.glob("*.onnx")):
        return file
    raise UsageError(f"{folder}: no .onnx model; give the folder kokoro of the kit (kwsd kit fetch kokoro)")


@cache
def _kokoro(folder: Path) -> Kokoro:
    """The session that all voices of this process share: hundreds of MB."""
    return Kokoro(_model(folder))


@cache
def _style(file: Path) -> Floats:
    return np.fromfile(file, np.float32).reshape(_STYLE_SHAPE)


class KokoroVoice:
    """One style, or the mean of two."""

    engine = "kokoro"
    needs_text = False

    def __init__(self, folder: Path, *styles: str) -> None:
        self.name = "kokoro-" + "+".join(styles)
        self.accent = BRITISH if styles[0].startswith("b") else AMERICAN
        self._folder, self._styles = folder, styles

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the melody."""
        styles = [_style(self._folder / "voices" / f"{name}.bin") for name in self._styles]
        misaki = to_misaki(line.phonemes, british=self.accent == BRITISH)
        samples = _kokoro(self._folder).say(misaki, np.mean(styles, axis=0), speed, take % _MELODIES)
        return to_16k(samples, RATE_HZ)


def kokoro_voices(folder: Path | None) -> list[KokoroVoice]:
    """All styles of a folder and MIXES of two, in a fixed order.

    Raises MissingEngineError without a folder, UsageError if it has no styles or the model cannot be found.
    """
    if folder is None:
        raise MissingEngineError("give --kokoro DIR for the best voices (kwsd kit fetch kokoro)")
    if not hibari.is_installed():
        raise MissingEngineError("it needs hibari: pip install 'kwsd[synth]'")
    names = sorted(file.stem for file in (folder / "voices").glob("*.bin"))
    if not names:
        raise UsageError(
            f"{folder / 'voices'}: no voice styles (*.bin); give the folder kokoro of the kit "
            "(kwsd kit fetch kokoro)"
        )
    _model(folder)  # raises if it cannot be found
    random = np.random.default_rng(0)
    chosen = [(name,) for name in names]
    for languages, count in MIXES.items():
        pairs = [
            pair
            for pair in itertools.combinations(names, 2)
            if pair[0][0] in "ab" and pair[1][0] in languages
        ]
        chosen += [pairs[place] for place in random.permutation(len(pairs))[:count]]
    return [KokoroVoice(folder, *styles) for styles in chosen]
