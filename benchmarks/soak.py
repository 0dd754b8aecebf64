"""Days in minutes: hours of audio at full speed through one detector, its memory and posteriors watched.

python benchmarks/soak.py [--hours 72] [--model happy] RECORDING

An hour is noise that swells from digital silence to full scale, broken by the recording (any that kwsd can
read). The posteriors of the recording after the first hour and after the last must be the same.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before numpy

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from kwsd.audio.file import FileSource
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.detector import Detector

CHUNK = SAMPLE_RATE // 10  # samples fed at a time: 100 ms, as a microphone gives them
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


def hour(recording: Samples) -> Samples:
    """Noise whose loudness swells through 100 dB once a minute, with the recording every ten minutes."""
    samples = np.random.default_rng(0).standard_normal(3600 * SAMPLE_RATE, np.float32)
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
        recording = np.concatenate([chunk.samples for chunk in source])
    # never fires, so that no trigger resets the engine: its state lives through all the hours
    detector = Detector.load(options.model, patience=10_000)
    period = (
        detector.settings.step * SAMPLE_RATE // 100
    )  # samples; whole ones, so that steps fall alike in every hour
    audio, recording = (
        samples[: len(samples) // period * period] for samples in (hour(recording), recording)
    )
    heard: list[list[float]] = []
    memory: list[float] = []
    began = time.process_time()
    for passed in range(options.hours):
        for start in range(0, len(audio), CHUNK):
            detector.feed(audio[start : start + CHUNK])
        if passed in (0, options.hours - 1):
            heard.append(posteriors(detector, recording))
        memory.append(resident_mb())
    spent = time.process_time() - began
    growth = max(memory) - memory[0]
    differ = max(abs(a - b) for a, b in zip(heard[0], heard[-1], strict=True))
    speed = 3600 * options.hours / spent
    print(f"{options.hours} h of audio in {spent:.0f} s of CPU: {speed:,.0f} x real time")
    print(
        f"resident memory: {memory[0]:.2f} MB after the first hour, at most {max(memory):.2f}: {growth:+.2f}"
    )
    print(
        f"the recording's {len(heard[0])} posteriors, up to {max(heard[0]):.3f}: {differ:.1e} apart at most"
    )
    sys.exit(growth > FLAT or differ > SAME)


if __name__ == "__main__":
    main()
