"""CPU time and memory of the detector, on one core: ``python benchmarks/detector.py [--model student]``.

Times are CPU time (``process_time``) in one thread, per second of audio (noise): the best and the median of
the repetitions. Without a model file, random weights of the reference student stand in: the cost does not
depend on the weights. The second stage sleeps: `sounds.py` measures it.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kwsd.errors import ModelError
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.debouncer import Debouncer
from kwsd.runtime.detector import Detector
from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import N_MELS, FrontEnd
from kwsd.runtime.model import STUDENT, Model, Settings
from kwsd.runtime.modelfile import find_model, read_model

SECONDS = 10  # of audio in a repetition
WINDOW, STEP = 20, 10
WORDS = (1, 2, 4)


def cpu_ms(work: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Best and median CPU milliseconds of a call."""
    work()
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        work()
        times.append((time.process_time() - start) * 1e3)
    return min(times), statistics.median(times)


def load(name: str) -> Model:
    try:
        return read_model(find_model(name))
    except ModelError as error:
        print(f"{error}\nrandom weights of the reference student instead")
    rng = np.random.default_rng(0)
    weights = {key: rng.normal(0, 0.1, shape).astype(np.float32) for key, shape in STUDENT.shapes().items()}
    return Model("random", STUDENT, weights)


def feed(detector: Detector, chunks: Samples) -> None:
    """Feed chunks, shape (n, samples)."""
    for chunk in chunks:
        detector.feed(chunk)


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="student", help="model file, or name of a shipped model")
    parser.add_argument("--repetitions", type=int, default=30)
    options = parser.parse_args()
    model = load(options.model)
    settings = model.settings.override(window=WINDOW, step=STEP)
    # never triggers and never runs the second stage, so that every step is paid for, and nothing else
    detector = Detector(model, settings.override(threshold=1, candidate_threshold=1))
    detector.feed(np.zeros(SAMPLE_RATE, np.float32))
    print(f"Resident memory with the detector running: {resident_mb():.1f} MB")

    noise = np.random.default_rng(0).normal(0, 0.1, SECONDS * SAMPLE_RATE).astype(np.float32)
    tenths, seconds = noise.reshape(-1, SAMPLE_RATE // 10), noise.reshape(-1, SAMPLE_RATE)

    def report(what: str, work: Callable[[], object]) -> None:
        best, median = cpu_ms(work, options.repetitions)
        print(f"  {what:<34}{best / SECONDS:8.3f}{median / SECONDS:9.3f}")

    print(f"\nCPU ms per second of audio, window {WINDOW}, step {STEP}    best   median")
    report("detector, 100 ms chunks", lambda: [detector.feed(chunk) for chunk in tenths])
    report("detector, 1 s chunks", lambda: [detector.feed(chunk) for chunk in seconds])
    front_end, engine = FrontEnd(), Engine(model, WINDOW, STEP)
    debouncer = Debouncer(Settings())
    frames = [front_end.push(chunk) for chunk in tenths]
    report("front end alone, 100 ms chunks", lambda: [front_end.push(chunk) for chunk in tenths])
    report("engine alone, 100 ms chunks", lambda: [engine.advance(chunk) for chunk in frames])
    report("debouncer alone", lambda: [debouncer.push(0.4, i / 10, warm=True) for i in range(len(tenths))])

    print("\nCPU ms per second of audio, 200 ms chunks           best   median")
    fifths = noise.reshape(-1, SAMPLE_RATE // 5)
    for count in WORDS:
        words = [replace(model, keyword=f"{model.keyword} {number}") for number in range(count)]
        several = Detector(words, [model.settings.override(threshold=1, candidate_threshold=1)] * count)
        report(f"words: {count}", partial(feed, several, fifths))

    print("\nA step's cost by the window")
    many = np.random.default_rng(0).normal(-4, 3, (4000 * STEP, N_MELS)).astype(np.float32)
    engines = {window: Engine(model, window, STEP) for window in (8, 1000)}
    costs = dict.fromkeys(engines, float("inf"))
    for _ in range(options.repetitions):  # in turns, so that a slow moment hits both
        for window, engine in engines.items():
            start = time.process_time()
            engine.advance(many)
            costs[window] = min(costs[window], (time.process_time() - start) * 1e6 / 4000)
    for window, cost in costs.items():
        print(f"  window {window:<27,}{cost:8.2f} us")
    print(f"  ratio {costs[1000] / costs[8]:36.3f}")


if __name__ == "__main__":
    main()
