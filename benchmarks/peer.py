"""One wake-word engine in a process of its own, as benchmarks/peers.py starts it, perhaps without kwsd.

    python benchmarks/peer.py ENGINE WORD,... RECORDING...

Feeds each recording (raw int16, 16 kHz) in the chunks that the engine's README recommends, and prints as JSON
the CPU milliseconds per second of each recording after the first seconds, the detections in each, and the
resident memory at the end in MB.
"""

import json
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

SAMPLE_RATE = 16_000
WARM_UP_SECONDS = 5
REFRACTORY_SECONDS = 2.5  # detections that are closer count as one

Feed = Callable[[bytes], bool]  # takes a chunk of int16 samples; whether a word was detected in it


def kwsd(words: list[str]) -> tuple[int, Feed]:
    """Chunks of 0.2 s, as `kwsd listen` takes them by default."""
    from kwsd import Detector

    detector = Detector.load(words)
    return SAMPLE_RATE // 5, lambda chunk: bool(detector.feed(np.frombuffer(chunk, np.int16)))


def pymicro_wakeword(words: list[str]) -> tuple[int, Feed]:
    """10 ms; the words share the features."""
    from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures, Model

    features, engines = MicroWakeWordFeatures(), [MicroWakeWord.from_builtin(Model(word)) for word in words]

    def feed(chunk: bytes) -> bool:
        detected = False
        for frame in features.process_streaming(chunk):
            for engine in engines:
                detected |= bool(engine.process_streaming(frame))
        return detected

    return SAMPLE_RATE // 100, feed


def pvporcupine(words: list[str]) -> tuple[int, Feed]:
    """Frames of 512 samples."""
    import pvporcupine

    handle = pvporcupine.create(keywords=words)
    layout = f"{handle.frame_length}h"
    return handle.frame_length, lambda chunk: handle.process(struct.unpack(layout, chunk)) >= 0


def openwakeword(words: list[str]) -> tuple[int, Feed]:
    """80 ms, and the threshold 0.5."""
    import openwakeword

    model = openwakeword.Model([openwakeword.models[word]["model_path"] for word in words])

    def feed(chunk: bytes) -> bool:
        return bool(max(model.predict(np.frombuffer(chunk, np.int16)).values()) >= 0.5)

    return SAMPLE_RATE * 80 // 1000, feed


ENGINES = {engine.__name__: engine for engine in (kwsd, pymicro_wakeword, pvporcupine, openwakeword)}


def measure(path: Path, samples: int, feed: Feed) -> tuple[float, int]:
    """CPU milliseconds per second after the warm-up, in all threads, and the number of detections."""
    position, detected, detections, began = 0, -SAMPLE_RATE * REFRACTORY_SECONDS, 0, 0.0
    warm = WARM_UP_SECONDS * SAMPLE_RATE // samples * samples
    with path.open("rb") as file:
        while len(chunk := file.read(2 * samples)) == 2 * samples:
            if position == warm:
                began = time.process_time()
            position += samples
            if feed(chunk) and position - detected >= SAMPLE_RATE * REFRACTORY_SECONDS:
                detected, detections = position, detections + 1
    return (time.process_time() - began) * 1e3 * SAMPLE_RATE / (position - warm), detections


def main(engine: str, words: str, *recordings: str) -> None:
    samples, feed = ENGINES[engine](words.split(","))
    measured = [measure(Path(path), samples, feed) for path in recordings]
    lines = Path("/proc/self/status").read_text().splitlines()
    resident = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
    cpu, detections = zip(*measured, strict=True)
    print(json.dumps({"cpu_ms": cpu, "detections": detections, "resident_mb": resident}))


if __name__ == "__main__":
    main(*sys.argv[1:])
