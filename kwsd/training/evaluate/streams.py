"""The streams of an evaluation: the keyword after a few seconds of other sound, and hours without it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kwsd.pcm import FULL_SCALE, SAMPLE_RATE, to_int16
from kwsd.training.augment.training_set import Recordings
from kwsd.training.augment.words import say_within, word_alone, word_end, word_span
from kwsd.training.data.reader import Reader, counted
from kwsd.training.data.speech_commands import files_of, read_tree
from kwsd.training.data.spool import Audio
from kwsd.training.evaluate.conditions import (
    AS_RECORDED,
    AcousticConditions,
    Floats,
    RandomSegment,
    Sound,
    frame_powers,
    in_room,
    noise_gain,
)

LEAD_SAMPLES = 3 * SAMPLE_RATE  # of context before the keyword, more than the usual attention window
FADE_SAMPLES = SAMPLE_RATE // 10  # over which the context fades out
PAUSE_SAMPLES = 3 * SAMPLE_RATE // 2  # of silence after the keyword
SEGMENT_SAMPLES = 60 * SAMPLE_RATE  # approximate length of a negative stream
STREAM_BLOCK_SAMPLES = 120 * SAMPLE_RATE  # of a negative stream that are in memory at once


@dataclass(frozen=True)
class Positive:
    """A stream that contains the keyword once."""

    audio: Audio

    start: float
    """Start of the keyword, in seconds."""

    end: float
    """End of the keyword, in seconds."""

    def __len__(self) -> int:
        return len(self.audio)

    def blocks(self) -> Iterator[Audio]:
        """The whole stream, as one block."""
        yield self.audio


class Negative:
    """A stream without the keyword: concatenated recordings, in acoustic conditions.

    It is the same each time it is read, because all random choices are made when it is created.
    """

    def __init__(
        self,
        recordings: Sequence[Sound],
        conditions: AcousticConditions,
        random: np.random.Generator,
    ) -> None:
        self._recordings = recordings
        self._length = sum(map(len, recordings))
        self._snr = conditions.snr
        has_noise = conditions.snr is not None
        self._noise = RandomSegment(conditions.noise, self._length, random) if has_noise else None
        self._room = conditions.random_room(random)

    def __len__(self) -> int:
        return self._length

    def blocks(self) -> Iterator[Audio]:
        """The stream in blocks of STREAM_BLOCK_SAMPLES, the last one shorter."""
        gain = self._gain() if self._noise else 0.0
        before: Floats = np.empty(0, np.float32)
        for start in range(0, self._length, STREAM_BLOCK_SAMPLES):
            audio = self._recorded(start)
            if self._noise is None and self._room is None:
                yield audio
                continue
            mixed = audio.astype(np.float32)
            if self._noise:
                mixed += np.float32(gain) * self._noise.read(start, len(audio))
            reverberant = in_room(mixed, self._room, before)
            before = mixed
            yield to_int16(reverberant / FULL_SCALE)

    def _recorded(self, start: int) -> Audio:
        """The block that starts at this sample, without noise and reverb.

        In the loop, start and stop count from the beginning of the recording at hand.
        """
        parts, stop = [], start + STREAM_BLOCK_SAMPLES
        for recording in self._recordings:
            parts.append(recording[max(0, start) : max(0, stop)])
            start, stop = start - len(recording), stop - len(recording)
        return np.concatenate(parts)

    def _gain(self) -> float:
        """The factor for the noise."""
        assert self._noise
        assert self._snr is not None
        starts = range(0, self._length, STREAM_BLOCK_SAMPLES)
        powers = np.concatenate([frame_powers(self._recorded(start)) for start in starts])
        energy = 0.0
        for start in starts:
            part = self._noise.read(start, min(STREAM_BLOCK_SAMPLES, self._length - start)).astype(np.float64)
            energy += float(part.dot(part))
        return noise_gain(powers, energy / self._length, self._snr)


Stream = Positive | Negative


def read_streams(
    positives: Sequence[Path],
    negatives: Sequence[Path],
    split: str | None,
    conditions: AcousticConditions,
    reader: Reader,
    seed: int = 0,
    fluent: bool = False,
) -> tuple[list[Positive], list[Negative]]:
    """The streams of folders with and without the keyword.

    split: if given, only words by its speakers are used, and of other files those whose names put them in it.
    Recordings of the keyword whose names contain no speaker (as in Speech Commands) are all used. fluent: say
    the keyword within the other speech (`place_within`).
    """
    random = np.random.default_rng(seed)
    others = reader.recordings(path for folder in negatives for path in files_of(folder, split))
    paths = [path for folder in positives for path in _clips_in(folder, split)]
    words = [word for path in paths if (word := reader.utterance(path)) is not None]
    put = place_within if fluent else place
    in_context = [put(word, others, conditions, random) for word in words]
    return in_context, [Negative(segment, conditions, random) for segment in segments(others)]


def run_conditions(recordings: Recordings, split: str, snr: float) -> list[AcousticConditions]:
    """The conditions "as recorded" and, if the recordings have noise in this split, "in noise"."""
    noise = recordings.noise_of(split)
    return [AS_RECORDED, *([AcousticConditions(noise, snr)] if noise else [])]


def run_streams(
    recordings: Recordings,
    split: str,
    snr: float,
    unseen: Sequence[Path] = (),
    on_file: Callable[[int, int], None] | None = None,
) -> list[tuple[AcousticConditions, list[Positive], list[Negative]]]:
    """The streams of a training run's recordings, in each of `run_conditions`.

    They consist of the clips of the keyword and the running speech of the split, and of all files in the
    folders `unseen`, on which nothing is trained. on_file: see `counted`; of the files without the keyword.
    """
    random = np.random.default_rng(0)
    files = [
        *(path for folder in recordings.speech for path in files_of(folder, split)),
        *(path for folder in unseen for path in files_of(folder)),
    ]
    others = recordings.reader.recordings(counted(files, on_file))
    words = recordings.keyword_audio(split)
    return [
        (
            conditions,
            [place(word, others, conditions, random) for word in words],
            [Negative(segment, conditions, random) for segment in segments(others)],
        )
        for conditions in run_conditions(recordings, split, snr)
    ]


def place(
    clip: Audio, context: Sequence[Sound], conditions: AcousticConditions, random: np.random.Generator
) -> Positive:
    """A clip of the keyword after a random segment of `context` (silence if it is empty), before a pause."""
    before = RandomSegment(context, LEAD_SAMPLES, random).read(0, LEAD_SAMPLES)
    before[-FADE_SAMPLES:] *= np.linspace(1, 0, FADE_SAMPLES)
    audio = np.concatenate((before, clip.astype(np.float32), np.zeros(PAUSE_SAMPLES, np.float32)))
    return _in_conditions(conditions, audio, clip.astype(np.float32), word_end(clip), random)


def place_within(
    clip: Audio, context: Sequence[Sound], conditions: AcousticConditions, random: np.random.Generator
) -> Positive:
    """The word of a clip within a random segment of `context`, as loud as that, without a pause around it."""
    word, end = word_alone(clip.astype(np.float32), *word_span(clip))
    length = LEAD_SAMPLES + len(word) + PAUSE_SAMPLES
    audio = RandomSegment(context, length, random).read(0, length)
    say_within(audio, LEAD_SAMPLES, word)
    said = audio[LEAD_SAMPLES : LEAD_SAMPLES + len(word)].copy()
    return _in_conditions(conditions, audio, said, end, random)


def _in_conditions(
    conditions: AcousticConditions, audio: Floats, word: Floats, end: float, random: np.random.Generator
) -> Positive:
    """A stream whose keyword begins after LEAD_SAMPLES, in acoustic conditions.

    word: the keyword alone, which sets the level of the noise. end: of the keyword, seconds from its start.
    """
    if conditions.snr is not None:
        noise = RandomSegment(conditions.noise, len(audio), random).read(0, len(audio))
        power = float(np.square(noise, dtype=np.float64).mean())
        audio += np.float32(noise_gain(frame_powers(word), power, conditions.snr)) * noise
    room = conditions.random_room(random)
    start = LEAD_SAMPLES / SAMPLE_RATE
    return Positive(to_int16(in_room(audio, room) / FULL_SCALE), start, start + end)


def segments(recordings: Sequence[Sound]) -> list[list[Sound]]:
    """Recordings in groups of SEGMENT_SAMPLES or a little more (the last may be shorter). None is cut."""
    groups: list[list[Sound]] = []
    length = SEGMENT_SAMPLES
    for recording in recordings:
        if length >= SEGMENT_SAMPLES:
            groups.append([])
            length = 0
        groups[-1].append(recording)
        length += len(recording)
    return groups


def _clips_in(folder: Path, split: str | None) -> list[Path]:
    """The clips of a folder; only those of the split if their names contain the speaker."""
    every = list(files_of(folder))
    if split is None or not any("_nohash_" in path.name for path in every):
        return every
    tree = read_tree(folder.parent, folder.name)
    return [clip.path for clip in tree if clip.word == folder.name and clip.split == split]
