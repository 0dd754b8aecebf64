"""Months in minutes: hours of audio at full speed through one detector, its memory and posteriors watched.

python benchmarks/soak.py [--hours 72] [--model happy] RECORDING

The recording (any that kwsd can read) is heard first and last, after ten seconds of silence each; between
them, hours of noise that swells from digital silence to full scale, broken by the recording itself.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from kwsd.audio.file import FileSource
from kwsd.runtime.detector import Detector
from kwsd.runtime.frontend import SAMPLE_RATE, Samples

CHUNK = SAMPLE_RATE // 10  # samples fed at a time: 100 ms, as a microphone gives them
SILENCE = np.zeros(10 * SAMPLE_RATE, np.float32)
FLAT = 1.0  # MB that memory may grow after the first hour
SAME = 1e-6  # by which posteriors may differ


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def posteriors(detector: Detector, samples: Samples) -> list[float]:
    return [
        step.posterior
        for start in range(0, len(samples), CHUNK)
        for step in detector.steps(samples[start : start + CHUNK])
    ]


def hour(recording: Samples, seed: int) -> Samples:
    """Noise whose loudness swells through 100 dB once a minute, with the recording every ten minutes."""
    rng = np.random.default_rng(seed)
    samples = rng.standard_normal(3600 * SAMPLE_RATE, np.float32)
    phase = np.arange(60 * SAMPLE_RATE, dtype=np.float32) / (60 * SAMPLE_RATE)
    samples.reshape(60, -1)[:] *= 10 ** (5 * np.sin(np.pi * phase) - 5)
    samples[: SAMPLE_RATE * 60] = 0
    for start in range(0, len(samples) - len(recording), 600 * SAMPLE_RATE):
        samples[start : start + len(recording)] = recording
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recording", type=Path)
    parser.add_argument("--hours", type=int, default=72)
    parser.add_argument("--model", default="happy", help="model file, or name of a shipped model")
    options = parser.parse_args()
    with FileSource(options.recording) as source:
        recording = np.concatenate(list(source))
    marked = np.concatenate((SILENCE, recording))
    # never fires, so that no trigger resets the engine: its state lives through all the hours
    detector = Detector.load(options.model, patience=10_000)
    step = detector.step * SAMPLE_RATE // 100
    audio = hour(recording, 0)  # made once: what memory grows by is the detector's
    first = posteriors(detector, marked)
    began, heard = time.process_time(), 0
    memory: list[float] = []
    for _ in range(options.hours):
        for start in range(0, len(audio), CHUNK):
            detector.feed(audio[start : start + CHUNK])
        heard += len(audio)
        memory.append(resident_mb())
    spent = time.process_time() - began
    rest = -(len(marked) + heard) % step  # so that the steps fall on the recording as they did at first
    detector.feed(np.zeros(rest, np.float32))
    last = posteriors(detector, marked)

    count = len(recording) // step  # the first time, silence also filled the engine: fewer steps in all
    growth = max(memory) - memory[0]
    differ = max(abs(a - b) for a, b in zip(first[-count:], last[-count:], strict=True))
    hours = heard / SAMPLE_RATE / 3600
    print(f"{hours:.0f} h of audio in {spent:.0f} s of CPU: {3600 * hours / spent:,.0f} x real time")
    print(
        f"resident memory: {memory[0]:.2f} MB after the first hour, at most {max(memory):.2f}: {growth:+.2f}"
    )
    print(f"the recording's {count} posteriors, up to {max(last):.3f}, differ by at most {differ:.1e}")
    sys.exit(growth > FLAT or differ > SAME)


if __name__ == "__main__":
    main()
