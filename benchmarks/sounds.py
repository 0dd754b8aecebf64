"""CPU time of the detector on silence, noise and speech, beside another commit.

    python benchmarks/sounds.py [--beside COMMIT] [--dialogue FOLDER] [WORD ...]

Milliseconds of CPU per second of audio in one thread, the lowest of the rounds. Both commits run in turns,
so that a slow moment hits both, each at its default candidate threshold. "awake" is the share of the time in
which the first word's second stage scores. Noise and read English are ESC-10 and continuous_speech in the
folder that KWSD_DATA names; without it, those rows are left out.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Int16
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Settings
from kwsd.runtime.modelfile import read_models

ROOT = Path(__file__).parents[1]
SECONDS = 120  # of silence and of white noise
MOST_SECONDS = 240  # of each other sound
CHUNK = SAMPLE_RATE // 5  # what `kwsd listen` feeds
SCORE_SECONDS = 0.16  # two scores that are no further apart belong to one time awake

Rows = dict[str, tuple[float, float | None]]  # by sound: milliseconds per second, and share awake


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", default=["computer", "jarvis", "alexa", "happy"])
    parser.add_argument("--beside", metavar="COMMIT", help="a commit to measure as well")
    parser.add_argument("--dialogue", type=Path, help="a folder of dialogue, such as data/sky")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)  # a file of sounds: one round of it
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.words)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        np.savez(Path(scratch) / "sounds.npz", **dict(sounds(options.dialogue)))  # type: ignore[arg-type]
        trees = {"here": ROOT}
        if options.beside:
            trees[options.beside] = Path(scratch) / "tree"
            checkout(options.beside, trees[options.beside])
        file = Path(scratch) / "sounds.npz"
        rounds = [
            {name: one_round(tree, file, options.words) for name, tree in trees.items()}
            for _ in range(options.rounds)
        ]
    print(f"{'CPU ms per second of audio':<38}" + "".join(f"{name:>10}" for name in trees) + "     awake")
    for row, (_, awake) in rounds[0]["here"].items():
        best = [min(one[name][row][0] for one in rounds) for name in trees]
        share = "" if awake is None else f"{awake:10.1%}"
        print(f"{row:<38}" + "".join(f"{cost:10.2f}" for cost in best) + share)


def sounds(dialogue: Path | None) -> Iterator[tuple[str, Int16]]:
    """Name and samples of every sound."""
    random = np.random.default_rng(0)
    yield "silence", np.zeros(SECONDS * SAMPLE_RATE, np.int16)
    for level in (-40, -20):
        white = random.normal(0, 10 ** (level / 20), SECONDS * SAMPLE_RATE)
        yield f"white noise at {level} dBFS", np.rint(32_768 * white).clip(-32_768, 32_767).astype(np.int16)
    if data := os.environ.get("KWSD_DATA"):
        for folder in sorted((Path(data) / "esc10").iterdir()):
            if folder.is_dir():
                yield f"ESC-10 {folder.name[6:].replace('_', ' ').lower()}", joined(folder)
        yield "read English", joined(Path(data) / "continuous_speech")
    if dialogue:
        yield "dialogue", joined(dialogue)


def joined(folder: Path) -> Int16:
    """The recordings of a folder, one after the other, at most MOST_SECONDS of them."""
    from kwsd.training.data.reader import Reader
    from kwsd.training.data.speech_commands import files_of

    parts: list[Int16] = []
    reader = Reader()
    for path in files_of(folder):
        if sum(map(len, parts)) >= MOST_SECONDS * SAMPLE_RATE:
            break
        parts += [recording[:] for recording in reader.recordings([path])]
    return np.concatenate(parts)[: MOST_SECONDS * SAMPLE_RATE]


def checkout(commit: str, tree: Path) -> None:
    """The package and the models of a commit, in a new folder."""
    tree.mkdir()
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", commit, "kwsd", "models"], check=True, stdout=subprocess.PIPE
    )
    subprocess.run(["tar", "-x", "-C", str(tree)], check=True, input=archive.stdout)


def one_round(tree: Path, file: Path, words: list[str]) -> Rows:
    """The rows as the package in this folder measures them."""
    ran = subprocess.run(
        [sys.executable, __file__, "--measure", str(file), *words],
        env=os.environ | {"PYTHONPATH": str(tree)},
        cwd=tree,
        check=True,
        stdout=subprocess.PIPE,
    )
    rows: Rows = json.loads(ran.stdout)
    return rows


def measure(file: Path, words: list[str]) -> Rows:
    """One round: the first word on every sound, and further words in silence and in speech."""
    rows: Rows = {}
    with np.load(file) as loaded:
        for name, samples in loaded.items():
            rows[name] = cost(detector(words[:1]), samples), share_awake(detector(words[:1]), samples)
        noise = loaded["white noise at -20 dBFS"]
        rows["second stage forced awake"] = cost(forced_awake(detector(words[:1])), noise), None
        for name in ("silence", "read English"):
            for count in range(2, len(words) + 1):
                if name in loaded:
                    rows[f"{name}, {count} words"] = cost(detector(words[:count]), loaded[name]), None
    return rows


def detector(words: list[str]) -> Detector:
    models = read_models(words)
    default = Settings().candidate_threshold
    return Detector(models, [model.settings.override(candidate_threshold=default) for model in models])


def forced_awake(made: Detector) -> Detector:
    """The detector with every step a candidate. Before the embedding streamed there was no such state."""
    candidates = getattr(made.spotters[0]._second_stage, "_candidates", None)
    if candidates:
        candidates.push = lambda *_: True
    return made


def cost(made: Detector, samples: Int16) -> float:
    """Milliseconds of CPU per second of audio."""
    made.feed(np.zeros(2 * SAMPLE_RATE, np.int16))
    start = time.process_time()
    for place in range(0, len(samples), CHUNK):
        made.feed(samples[place : place + CHUNK])
    return (time.process_time() - start) * 1e3 / (len(samples) / SAMPLE_RATE)


def share_awake(made: Detector, samples: Int16) -> float:
    """The share of the time between scores that follow each other."""
    scored = [
        step.time
        for place in range(0, len(samples), SAMPLE_RATE)
        for step in made.steps(samples[place : place + SAMPLE_RATE])
        if step.verified is not None
    ]
    pauses = np.diff(scored)
    return float(pauses[pauses <= SCORE_SECONDS + 1e-6].sum() / (len(samples) / SAMPLE_RATE))


if __name__ == "__main__":
    main()
