"""What teaching changes for the speakers who were taught, for others, and in false alarms.

    python benchmarks/teach.py happy DATA/speech_commands_v0.01/happy --noise DATA/esc10

Of Speech Commands the speakers of the validation split count who have at least three clips: each clip is
tested with a model that was taught with the speaker's other clips. Where names tell no speakers, clips are
dealt into groups, and a model is taught with one group and tested with the others.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kwsd.pcm import to_float32
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.training.data.reader import Audio, Reader
from kwsd.training.data.speech_commands import files_of, read_tree
from kwsd.training.evaluate.conditions import AS_RECORDED, AcousticConditions
from kwsd.training.evaluate.streams import Positive, place
from kwsd.training.workflows.teach import FEWEST, Adaptation, triggers

SNR = 10.0  # dB
OTHERS = 12  # clips of other people that each taught model is tested with
HIT_SECONDS = 1.0  # after the end of the word


def main() -> None:
    options = arguments()
    model = read_model(find_model(options.model))
    if options.threshold:
        model = replace(model, settings=model.settings.override(threshold=options.threshold))
    reader = Reader()
    noise = reader.recordings(path for folder in options.noise for path in files_of(folder, "validation"))
    context = reader.recordings(files_of(options.context))[:40] if options.context else []
    conditions = {"in quiet": AS_RECORDED, f"in noise at {SNR:g} dB": AcousticConditions(noise, SNR)}
    people = speakers(options.recordings, reader)
    print(f"{len(people)} speakers or groups, {sum(map(len, people.values()))} recordings")

    random = np.random.default_rng(0)
    streams = {
        name: {who: [place(clip, context, one, random) for clip in clips] for who, clips in people.items()}
        for name, one in conditions.items()
    }
    speech = {folder.name: reader.recordings(files_of(folder)) for folder in options.speech}  # of each folder
    own: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    other: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    taught_models = []
    heard = {
        name: {who: [hit(model, one) for one in many] for who, many in by.items()}
        for name, by in streams.items()
    }
    adaptation = Adaptation(model)
    for who, clips in people.items():
        if len(clips) < FEWEST:
            continue
        examples = [adaptation.example(clip) for clip in clips]
        taught = adaptation.taught(examples)
        taught_models.append(taught)
        for left_out in range(len(clips)) if options.by_speaker else ():
            without = adaptation.taught([*examples[:left_out], *examples[left_out + 1 :]])
            for name in conditions:
                own[name].append((heard[name][who][left_out], hit(without, streams[name][who][left_out])))
        everyone = [(one, number) for one in people if one != who for number in range(len(people[one]))]
        for index in random.permutation(len(everyone))[:OTHERS]:
            one, number = everyone[index]
            for name in conditions:
                other[name].append((heard[name][one][number], hit(taught, streams[name][one][number])))
    for title, results in (("taught speakers", own), ("other speakers", other)):
        for name, pairs in results.items():
            missed = [sum(not pair[i] for pair in pairs) for i in (0, 1)]
            lost = sum(before and not after for before, after in pairs)
            print(
                f"{title}, {name}: missed {missed[0]} of {len(pairs)} ({missed[0] / len(pairs):.1%}) before, "
                f"{missed[1]} ({missed[1] / len(pairs):.1%}) taught; heard before and not now: {lost}"
            )
    for name, recordings in speech.items():
        hours = sum(map(len, recordings)) / 16_000 / 3_600
        before, *after = (
            sum(len(triggers(one, to_float32(recording[:]))) for recording in recordings) / hours
            for one in (model, *taught_models[: options.models])
        )
        print(
            f"{name}, {hours:.2f} h: {before:.1f} false alarms an hour before, {np.mean(after):.1f} on "
            f"average of {len(after)} taught models, {max(after):.1f} at most"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("model")
    parser.add_argument("recordings", type=Path, help="folder of recordings of the word")
    parser.add_argument("--noise", type=Path, action="append", required=True)
    parser.add_argument("--context", type=Path, help="folder of speech that precedes the word")
    parser.add_argument("--speech", type=Path, action="append", default=[], help="speech without the word")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("--models", type=int, default=8, help="taught models that hear the speech")
    options = parser.parse_args()
    options.by_speaker = is_speech_commands(options.recordings)
    return options


def is_speech_commands(folder: Path) -> bool:
    return any("_nohash_" in path.name for path in files_of(folder))


def speakers(folder: Path, reader: Reader) -> dict[str, Sequence[Audio]]:
    """The recordings of each speaker, or those of each group."""
    found: dict[str, list[Audio]] = defaultdict(list)
    if is_speech_commands(folder):
        tree = read_tree(folder.parent, folder.name)
        clips = [clip for clip in tree if clip.word == folder.name and clip.split == "validation"]
        named = [(clip.path.name.split("_")[0], clip.path) for clip in clips]
    else:
        paths = list(files_of(folder))
        order = np.random.default_rng(0).permutation(len(paths))
        named = [(f"group {place // 10}", paths[index]) for place, index in enumerate(order)]
    for who, path in named:
        audio = reader.utterance(path)
        if audio is not None:
            found[who].append(audio)
    return dict(found)


def hit(model: Model, stream: Positive) -> bool:
    """Whether a model hears the word in a stream."""
    detector = Detector([model], [model.settings])
    detector.warm_up()
    return any(
        stream.start <= trigger.stream_time <= stream.end + HIT_SECONDS
        for trigger in detector.feed(stream.audio)
    )


if __name__ == "__main__":
    main()
