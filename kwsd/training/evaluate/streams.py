"""How a model does in the field: streams, not clips, through the runtime's own detector, triggers and all.

Positives: every clip of the keyword stands in a few seconds of other sound; a hit is a trigger from the
word's beginning to a second past its end. Negatives: hours without it; every trigger is a false alarm.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.pcm import FULL_SCALE, SAMPLE_RATE, to_int16
from kwsd.runtime.debouncer import Debouncer
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.spotter import Step
from kwsd.training.augment.scenes import word_end
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.reader import Reader
from kwsd.training.data.speech_commands import files_of, read_tree
from kwsd.training.evaluate.conditions import (
    NOWHERE,
    Negative,
    Piece,
    Sound,
    Surroundings,
    frame_powers,
    in_a_room,
    random_room_of,
    snr_gain,
)
from kwsd.training.evaluate.intervals import count_interval, share_interval

Audio = npt.NDArray[np.int16]

THRESHOLDS = (
    0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999,
)  # fmt: skip
LEAD = 3 * SAMPLE_RATE  # samples of context before a positive: more than a window
TAIL = int(1.5 * SAMPLE_RATE)
GRACE = 1.0  # seconds after the word's end in which a trigger is still a hit
NEVER = {"patience": 10_000}  # steps: more than any stream has
STRETCH = 60 * SAMPLE_RATE  # negatives are streamed in stretches of about a minute, each from a silent start


@dataclass(frozen=True)
class Positive:
    """A stream with the keyword once. start, end: seconds, of the word."""

    audio: Audio
    start: float
    end: float


Stream = Positive | Negative | Audio  # audio alone: a negative that is short


@dataclass(frozen=True)
class Outcome:
    """What a stream came to at a threshold. latencies: of hits, seconds from the word's end on."""

    latencies: list[float]
    false_alarms: int


@dataclass(frozen=True)
class Point:
    """The curve at one threshold."""

    threshold: float
    positives: int
    missed: int
    false_alarms: int
    hours: float
    latencies: list[float]

    @property
    def frr(self) -> float:
        """Share of the keyword's utterances missed."""
        return self.missed / max(1, self.positives)

    @property
    def fa_per_hour(self) -> float:
        """False alarms per hour of negatives."""
        return self.false_alarms / self.hours if self.hours else 0.0

    def frr_interval(self) -> tuple[float, float]:
        """95 % interval of the FRR."""
        return share_interval(self.missed, max(1, self.positives))

    def fa_interval(self) -> tuple[float, float]:
        """95 % interval of FA/h."""
        low, high = count_interval(self.false_alarms)
        return low / (self.hours or 1.0), high / (self.hours or 1.0)

    def record(self) -> dict[str, Any]:
        """The point as plain values, latency in milliseconds."""
        latency = np.quantile(self.latencies, [0.5, 0.95]) * 1000 if self.latencies else [None, None]
        return {
            "threshold": self.threshold,
            "frr": self.frr,
            "frr_95": self.frr_interval(),
            "fa_per_hour": self.fa_per_hour,
            "fa_per_hour_95": self.fa_interval(),
            "missed": self.missed,
            "positives": self.positives,
            "false_alarms": self.false_alarms,
            "hours": self.hours,
            "latency_ms_p50": latency[0] and round(float(latency[0])),
            "latency_ms_p95": latency[1] and round(float(latency[1])),
        }


def read_streams(
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None,
    around: Surroundings,
    reader: Reader,
    seed: int = 0,
) -> tuple[list[Positive], list[Negative]]:
    """The streams of these folders. split: only these speakers' words, and files of this side by their names.

    Recordings of the keyword that name no speaker (as Speech Commands does) have no side: all of them count.
    """
    random = np.random.default_rng(seed)
    others = reader.recordings(path for folder in negatives for path in files_of(folder, split))
    paths = [path for folder in positives for path in _positives_of(folder, split)]
    words = [word for path in paths if (word := reader.utterance(path)) is not None]
    placed = [place(word, others, around, random) for word in words]
    return placed, [Negative(stretch, around, random) for stretch in stretches(others)]


def conditions(recordings: Recordings, split: str, snr: float) -> list[Surroundings]:
    """As recorded and, where there is noise of this split, in it."""
    noise = recordings.noise_of(split)
    return [NOWHERE, *([Surroundings(noise, snr, [])] if noise else [])]


def streams_of(
    recordings: Recordings, split: str, snr: float, unseen: tuple[Path, ...] = ()
) -> tuple[list[Positive], list[Negative]]:
    """A run's own clips of a split, its running speech and all `unseen`; as they are and again in noise."""
    random = np.random.default_rng(0)
    others = recordings.reader.recordings(
        [
            *(path for folder in recordings.speech for path in files_of(folder, split)),
            *(path for folder in unseen for path in files_of(folder)),
        ]
    )
    words = recordings.keyword_audio(split)
    around = conditions(recordings, split, snr)
    positives = [place(word, others, each, random) for each in around for word in words]
    negatives = stretches(others)
    return positives, [Negative(stretch, each, random) for each in around for stretch in negatives]


def _positives_of(folder: Path, split: str | None) -> list[Path]:
    every = list(files_of(folder))
    if split is None or not any("_nohash_" in path.name for path in every):
        return every
    return [
        c.path for c in read_tree(folder.parent, folder.name) if c.word == folder.name and c.split == split
    ]


def place(
    clip: Audio, context: Sequence[Sound], around: Surroundings, random: np.random.Generator
) -> Positive:
    """A clip after a piece of `context`, or silence, and before a pause, in its surroundings."""
    before = Piece(context, LEAD, random).part(0, LEAD)
    fade = SAMPLE_RATE // 10
    before[-fade:] *= np.linspace(1, 0, fade)
    audio = np.concatenate((before, clip.astype(np.float32), np.zeros(TAIL, np.float32)))
    if around.snr is not None:
        noise = Piece(around.noise, len(audio), random).part(0, len(audio))
        gain = snr_gain(frame_powers(clip), float(np.square(noise, dtype=np.float64).mean()), around.snr)
        audio += np.float32(gain) * noise
    room = random_room_of(around.rooms, random)
    start = LEAD / SAMPLE_RATE
    heard = to_int16(in_a_room(audio, room) / FULL_SCALE)
    return Positive(heard, start, start + word_end(clip))


def stretches(recordings: Sequence[Sound]) -> list[list[Sound]]:
    """Recordings in groups that last a minute or so; a longer one is in one of them."""
    groups: list[list[Sound]] = []
    length = STRETCH
    for recording in recordings:
        if length >= STRETCH:
            groups.append([])
            length = 0
        groups[-1].append(recording)
        length += len(recording)
    return groups


def hear(model: Model, settings: dict[str, Any], stream: Stream) -> dict[float, Outcome]:
    """What the detector makes of it at every threshold.

    Up to its first trigger a stream is the same at any threshold: it is streamed once for all of them, and
    again only for those where more than the first trigger counts.
    """
    positive = stream if isinstance(stream, Positive) else None
    own = model.settings.override(**settings)
    silent = Detector(model, own.override(threshold=1.0, **({} if model.verifier else NEVER)))
    silent.warm_up()
    detectors = {one: Detector(model, own.override(threshold=one)) for one in THRESHOLDS}
    firsts = {one: FirstTrigger(each.settings, bool(model.verifier)) for one, each in detectors.items()}
    for block in blocks(stream):
        for step in silent.steps(block):
            for first in firsts.values():
                first.push(step)
    times = {one: [] if first.time is None else [first.time] for one, first in firsts.items()}
    again = {
        one: detectors[one]
        for one, first in firsts.items()
        if first.time is not None and (positive is None or first.time < positive.start)
    }
    for threshold, detector in again.items():
        detector.warm_up()
        times[threshold] = []
    for block in blocks(stream) if again else ():
        for threshold, detector in again.items():
            times[threshold] += [trigger.stream_time for trigger in detector.feed(block)]
    return {threshold: _outcome(found, positive) for threshold, found in times.items()}


def blocks(stream: Stream) -> Iterable[Audio]:
    """The stream's audio in pieces that fit into memory."""
    if isinstance(stream, Negative):
        return stream.blocks()
    return (stream.audio if isinstance(stream, Positive) else stream,)


def _outcome(times: list[float], positive: Positive | None) -> Outcome:
    """times: of triggers, in seconds."""
    if positive is None:
        return Outcome([], len(times))
    hits = [time for time in times if positive.start <= time <= positive.end + GRACE]
    return Outcome([hits[0] - positive.end] if hits else [], 0)


class FirstTrigger:
    """When a detector would first fire, by the steps of another one, of the same stream, that never does."""

    def __init__(self, settings: Settings, verified: bool) -> None:
        """verified: the model has a second stage, which decides."""
        self.time: float | None = None  # stream time, seconds
        self._threshold, self._verified = settings.threshold, verified
        self._debouncer = Debouncer(settings)

    def push(self, step: Step) -> None:
        if self.time is not None:
            return
        if self._verified:
            fires = bool(step.verified and step.verified >= self._threshold)
        else:
            fires = self._debouncer.push(step.posterior, step.time, step.warm)
        if fires:
            self.time = step.time


def curve(
    model: Model,
    positives: Sequence[Positive],
    negatives: Sequence[Negative | Audio],
    settings: dict[str, Any] | None = None,
    jobs: int = 1,
    on_stream: Callable[[], None] = lambda: None,
) -> list[Point]:
    """FRR and FA/h at every threshold. settings: Detector's. jobs: processes."""
    streams: list[Stream] = [*positives, *negatives]
    arguments = (itertools.repeat(model), itertools.repeat(settings or {}), streams)
    outcomes = []
    with ExitStack() as stack:
        if jobs > 1:
            pool = stack.enter_context(ProcessPoolExecutor(jobs, get_context("spawn")))
            results: Iterable[dict[float, Outcome]] = pool.map(hear, *arguments, chunksize=8)
        else:
            results = map(hear, *arguments)
        for outcome in results:
            outcomes.append(outcome)
            on_stream()
    hours = sum(len(audio) for audio in negatives) / SAMPLE_RATE / 3600
    points = []
    for threshold in THRESHOLDS:
        at = [outcome[threshold] for outcome in outcomes]
        latencies = [latency for outcome in at for latency in outcome.latencies]
        missed = len(positives) - len(latencies)
        alarms = sum(outcome.false_alarms for outcome in at)
        points.append(Point(threshold, len(positives), missed, alarms, hours, latencies))
    return points


def frr_at(points: list[Point], fa_per_hour: float) -> Point | None:
    """The point with the lowest FRR among those with at most this many false alarms an hour."""
    return min((p for p in points if p.fa_per_hour <= fa_per_hour), key=lambda p: p.frr, default=None)
