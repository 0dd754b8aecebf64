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
from kwsd.resources import installing
from kwsd.training.synthesis.alphabets import to_misaki
from kwsd.training.synthesis.engines import hibari
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.speech import Floats, Line, MissingEngineError, to_16k

RATE_HZ = 24_000
NATIVE_MIXES, MIXES = 80, 120  # at most: mixes of two native styles, and of a native one with any
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

    def __init__(self, folder: Path, language: Language, *styles: str) -> None:
        self.name = "kokoro-" + "+".join(styles)
        self.accent = language.kokoro.get(styles[0][0], language.accents[0])
        self._folder, self._language, self._styles = folder, language, styles

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the melody."""
        styles = [_style(self._folder / "voices" / f"{name}.bin") for name in self._styles]
        misaki = to_misaki(line.phonemes, self._language, self.accent)
        samples = _kokoro(self._folder).say(misaki, np.mean(styles, axis=0), speed, take % _MELODIES)
        return to_16k(samples, RATE_HZ)


def kokoro_voices(folder: Path | None, language: Language) -> list[KokoroVoice]:
    """All styles of a folder and MIXES of two, in a fixed order. The first letter of a style is its language.

    Raises MissingEngineError without a folder, UsageError if it has no styles or the model cannot be found.
    """
    if folder is None:
        raise MissingEngineError("give --kokoro DIR for the best voices (kwsd kit fetch kokoro)")
    if not hibari.is_installed():
        raise MissingEngineError(f"it needs hibari: {installing('synth')}")
    names = sorted(file.stem for file in (folder / "voices").glob("*.bin"))
    if not names:
        raise UsageError(
            f"{folder / 'voices'}: no voice styles (*.bin); give the folder kokoro of the kit "
            "(kwsd kit fetch kokoro)"
        )
    _model(folder)  # raises if it cannot be found
    random = np.random.default_rng(0)
    chosen = [(name,) for name in names]
    pairs = list(itertools.combinations(names, 2))
    mixes: list[tuple[str, ...]] = []
    for natives, count in ((2, NATIVE_MIXES), (1, MIXES)):
        mixable = [pair for pair in pairs if sum(name[0] in language.kokoro for name in pair) == natives]
        order = random.permutation(len(mixable))[: count - len(mixes)]
        mixes += [mixable[place] for place in order]
    return [KokoroVoice(folder, language, *styles) for styles in (*chosen, *mixes)]
