"""Exported words in pyopen-wakeword, beside kwsd itself: clips that are heard, and false alarms.

python benchmarks/exported.py [--words alexa,computer,jarvis] [--negatives DIR]... [--thresholds 0.99,0.995]

pyopen-wakeword (extra `dev`) is the engine of linux-voice-assistant and of wyoming-openwakeword 2. It runs
the .tflite files that `kwsd export` writes; a word is heard above 0.5. The clips are those of wake_words in
the folder that KWSD_DATA names, each after 1.5 s of silence. --negatives: folders of speech without the
words; by default continuous_speech in that folder. --thresholds: rows for words exported with these, too. An
alarm within a second of the one before is not counted.
"""

import argparse
import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pyopen_wakeword import OpenWakeWord, OpenWakeWordFeatures

from kwsd.pcm import SAMPLE_RATE, Int16
from kwsd.runtime.debouncer import logit
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_models
from kwsd.training.data.speech_commands import files_of, read_audio
from kwsd.training.release.export import export

CHUNK_SAMPLES = 1_280  # 80 ms, after which the engine gives one more probability
PAUSE = np.zeros(3 * SAMPLE_RATE // 2, np.int16)
APART = 1.0  # seconds between two alarms

Scores = list[tuple[float, float]]  # seconds, and log-odds of the heads


def scores_of(models: list[Model], sound: Int16, folder: Path) -> list[Scores]:
    """What pyopen-wakeword gives for each word in a stream, with the exported threshold taken out again."""
    words = [OpenWakeWord.from_model(export(model, "openwakeword", folder)[0]) for model in models]
    features = OpenWakeWordFeatures.from_builtin()
    scores: list[Scores] = [[] for _ in models]
    for start in range(0, len(sound) - CHUNK_SAMPLES + 1, CHUNK_SAMPLES):
        chunk = sound[start : start + CHUNK_SAMPLES].tobytes()
        for embedding in features.process_streaming(chunk):
            for model, word, found in zip(models, words, scores, strict=True):
                for probability in word.process_streaming(embedding):
                    odds = logit(probability) + logit(model.settings.threshold)
                    found.append(((start + CHUNK_SAMPLES) / SAMPLE_RATE, odds))
    return scores


def triggers_of(models: list[Model], sound: Int16) -> list[list[float]]:
    """When kwsd hears each word, each alone."""
    return [[trigger.stream_time for trigger in Detector(model).feed(sound)] for model in models]


def above(scores: Scores, threshold: float) -> list[float]:
    """When a word that is exported with this threshold is heard."""
    times = [-math.inf]
    for time, odds in scores:
        if odds > logit(threshold) and time - times[-1] >= APART:
            times.append(time)
    return times[1:]


def heard(times: Iterable[float], ends: list[float]) -> int:
    """How many clips that end at these times have a trigger in them or in the half second after."""
    starts = [0.0, *(end + 0.5 for end in ends[:-1])]
    return sum(
        any(start < time <= end + 0.5 for time in times) for start, end in zip(starts, ends, strict=True)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", default="alexa,computer,jarvis")
    parser.add_argument("--negatives", type=Path, action="append")
    parser.add_argument("--thresholds", default="")
    options = parser.parse_args()
    data = Path(os.environ["KWSD_DATA"])
    models = read_models(options.words.split(","))
    thresholds = [float(value) for value in options.thresholds.split(",") if value]
    folders = options.negatives or [data / "continuous_speech"]

    rows: dict[tuple[str, str], list[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            clips = [read_audio(path) for path in files_of(data / "wake_words" / model.keyword)]
            parts = [part for clip in clips for part in (PAUSE, clip)]
            sound = np.concatenate([*parts, PAUSE])
            ends = [end / SAMPLE_RATE for end in np.cumsum([*map(len, parts)])[1::2]]
            (scores,), (times,) = scores_of([model], sound, Path(folder)), triggers_of([model], sound)
            for threshold in (model.settings.threshold, *thresholds):
                count = heard(above(scores, threshold), ends)
                rows[model.keyword, f"exported, {threshold:g}"] = [f"{count} of {len(clips)}"]
            rows[model.keyword, "kwsd"] = [f"{heard(times, ends)} of {len(clips)}"]
        hours = []
        for speech in folders:
            sound = np.concatenate([part for path in files_of(speech) for part in (read_audio(path), PAUSE)])
            hours.append(len(sound) / SAMPLE_RATE / 3_600)
            every = zip(
                models, scores_of(models, sound, Path(folder)), triggers_of(models, sound), strict=True
            )
            for model, scores, times in every:
                for threshold in (model.settings.threshold, *thresholds):
                    rows[model.keyword, f"exported, {threshold:g}"].append(str(len(above(scores, threshold))))
                rows[model.keyword, "kwsd"].append(str(len(times)))
    names = [f"alarms in {len_:.2f} h of {speech.name}" for speech, len_ in zip(folders, hours, strict=True)]
    print("| word | as | heard |", *(f"{name} |" for name in names))
    print("|" + "---|" * (3 + len(names)))
    for (word, how), cells in rows.items():
        print(f"| `{word}` | {how} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
