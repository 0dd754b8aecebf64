"""Synthesizes docs/sample.flac: two sentences and the keyword twice, four voices, over soft noise.

    pip install kokoro-onnx==0.6.1 soxr soundfile
    kwsd kit fetch kokoro
    python tools/make_sample.py $(kwsd kit path)/kokoro docs/sample.flac

The voice is Kokoro-82M (Apache-2.0).
"""

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
    ("af_heart", "Jarvis."),
    ("bf_emma", "Could you turn the kettle on, and bring me the newspaper?"),
    ("am_fenrir", "Jarvis."),
]
PAUSE = 1.5  # seconds


def main(folder: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        styles = Path(temporary) / "voices.npz"
        voices = sorted((folder / "voices").glob("*.bin"))
        arrays = {p.stem: np.fromfile(p, np.float32).reshape(-1, 1, 256) for p in voices}
        np.savez(styles, allow_pickle=False, **arrays)
        kokoro = Kokoro(str(folder / "kokoro.onnx"), str(styles))
        pieces = [np.zeros(int(PAUSE * RATE), np.float32)]
        for voice, text in LINES:
            speech, rate = kokoro.create(text, voice=voice, lang="en-us")
            pieces += [soxr.resample(speech, rate, RATE), np.zeros(int(PAUSE * RATE), np.float32)]
    audio = 0.5 * np.concatenate(pieces)
    audio += np.random.default_rng(0).normal(0, 0.001, len(audio)).astype(np.float32)
    soundfile.write(out, audio, RATE, subtype="PCM_16")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
