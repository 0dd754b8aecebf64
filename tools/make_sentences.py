"""Writes sounds/sentences.ogg: synthetic sentences, from a folder that kwsd synthesize has filled.

kwsd synthesize happy --out FOLDER --kokoro KOKORO
python tools/make_sentences.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
import soundfile

from kwsd.pcm import SAMPLE_RATE

OUT = Path(__file__).parents[1] / "sounds" / "sentences.ogg"
ENGINES = {"kokoro": 1, "hibari": 2}  # one of so many sentences of each is taken
PAUSE = np.zeros(SAMPLE_RATE // 5)
PEAK = 0.5


def main(folder: Path) -> None:
    """Join the sentences of the folder."""
    parts = []
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    for engine, every in ENGINES.items():
        files = sorted(line["file"] for line in lines if line["engine"] == engine)
        for name in [name for name in files if name.startswith("sentences/")][::every]:
            audio, _ = soundfile.read(folder / name)
            parts += [audio * min(1, PEAK / np.abs(audio).max()), PAUSE]
    joined = np.concatenate(parts)
    soundfile.write(OUT, joined, SAMPLE_RATE, format="OGG", subtype="VORBIS", compression_level=1.0)
    print(f"{OUT}: {len(joined) / SAMPLE_RATE:.0f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
