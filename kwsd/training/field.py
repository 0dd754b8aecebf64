"""How a model does in the field: streams, not clips, through the runtime's own detector, triggers and all.

Positives: every clip of the keyword stands in a few seconds of other sound; a hit is a trigger from the
word's beginning to a second past its end. Negatives: hours without it; every trigger is a false alarm.
"""

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.pcm import FULL_SCALE, SAMPLE_RATE, to_int16
from kwsd.runtime.detector import Detector, Step
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.trigger import Debouncer
from kwsd.training.dataset import files_of, read_tree
from kwsd.training.reader import Reader
from kwsd.training.recordings import Recordings
from kwsd.training.rooms import reverberated
from kwsd.training.scenes import word_end

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
        """95 % interval (Wilson 1927)."""
        from scipy.stats import binomtest

        interval = binomtest(self.missed, max(1, self.positives)).proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)

    def fa_interval(self) -> tuple[float, float]:
        """Exact Poisson 95 % interval of FA/h (Garwood 1936)."""
        from scipy.stats import chi2

        n, hours = self.false_alarms, self.hours or 1.0
        low = chi2.ppf(0.025, 2 * n) / 2 if n else 0.0
        return float(low / hours), float(chi2.ppf(0.975, 2 * n + 2) / 2 / hours)

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


@dataclass(frozen=True)
class Surroundings:
    """What the streams stand in. snr: dB of the keyword above the noise. rooms: impulse responses."""

    noise: list[Audio]
    snr: float | None
    rooms: list[Audio]


def read_streams(
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None,
    around: Surroundings,
    reader: Reader,
    seed: int = 0,
) -> tuple[list[Positive], list[Audio]]:
    """The streams of these folders. split: only these speakers' words, and files of this side by their names.

    Recordings of the keyword that name no speaker (as Speech Commands does) have no side: all of them count.
    """
    random = np.random.default_rng(seed)
    others = reader.sounds(path for folder in negatives for path in files_of(folder, split))
    paths = [path for folder in positives for path in _positives_of(folder, split)]
    words = [word for path in paths if (word := reader.utterance(path)) is not None]
    placed = [place(word, others, around, random) for word in words]
    return placed, [around_negative(stretch, around, random) for stretch in stretches(others)]


def conditions(recordings: Recordings, split: str, snr: float) -> list[Surroundings]:
    """As recorded and, where there is noise of this split, in it."""
    noise = recordings.noise_of(split)
    return [Surroundings([], None, []), *([Surroundings(noise, snr, [])] if noise else [])]


def streams_of(
    recordings: Recordings, split: str, snr: float, unseen: tuple[Path, ...] = ()
) -> tuple[list[Positive], list[Audio]]:
    """A run's own clips of a split, its running speech and all `unseen`; as they are and again in noise."""
    random = np.random.default_rng(0)
    others = recordings.reader.sounds(
        [
            *(path for folder in recordings.speech for path in files_of(folder, split)),
            *(path for folder in unseen for path in files_of(folder)),
        ]
    )
    words = recordings.keyword_audio(split)
    around = conditions(recordings, split, snr)
    positives = [place(word, others, each, random) for each in around for word in words]
    negatives = stretches(others)
    return positives, [around_negative(stretch, each, random) for each in around for stretch in negatives]


def _positives_of(folder: Path, split: str | None) -> list[Path]:
    every = list(files_of(folder))
    if split is None or not any("_nohash_" in path.name for path in every):
        return every
    return [
        c.path for c in read_tree(folder.parent, folder.name) if c.word == folder.name and c.split == split
    ]


def around_negative(audio: Audio, around: Surroundings, random: np.random.Generator) -> Audio:
    """A negative stream in the same rooms and as much noise as the positives."""
    if around.snr is None and not around.rooms:
        return audio
    mixed = audio.astype(np.float32)
    if around.snr is not None:
        mixed += at_snr(_piece(around.noise, len(audio), random), audio, around.snr)
    return _int16(_in_a_room(mixed, around.rooms, random))


def _in_a_room(
    audio: npt.NDArray[np.float32], rooms: list[Audio], random: np.random.Generator
) -> npt.NDArray[np.float32]:
    if not rooms:
        return audio
    response = rooms[random.integers(len(rooms))].astype(np.float32)
    return reverberated(audio, response[np.abs(response).argmax() :])  # from the direct sound on: no delay


def place(clip: Audio, context: list[Audio], around: Surroundings, random: np.random.Generator) -> Positive:
    """A clip after a piece of `context`, or silence, and before a pause, in its surroundings."""
    before = _piece(context, LEAD, random)
    fade = SAMPLE_RATE // 10
    before[-fade:] *= np.linspace(1, 0, fade)
    audio = np.concatenate((before, clip.astype(np.float32), np.zeros(TAIL, np.float32)))
    if around.snr is not None:
        audio += at_snr(_piece(around.noise, len(audio), random), clip, around.snr)
    start = LEAD / SAMPLE_RATE
    return Positive(_int16(_in_a_room(audio, around.rooms, random)), start, start + word_end(clip))


def at_snr(noise: npt.NDArray[np.float32], speech: Audio, snr: float) -> npt.NDArray[np.float32]:
    """The noise at `snr` dB under the louder half of the speech (its words, not its pauses)."""
    frames = speech[: len(speech) // 160 * 160].reshape(-1, 160).astype(np.float64)
    power = (frames**2).mean(axis=1)
    voiced = power[power >= np.median(power)].mean()
    gain = np.sqrt(voiced / max(1.0, float((noise**2).mean())) * 10 ** (-snr / 10))
    scaled: npt.NDArray[np.float32] = noise * np.float32(gain)
    return scaled


def stretches(recordings: Iterable[Audio]) -> list[Audio]:
    """Recordings end to end, cut at a recording's end after every minute or so."""
    joined, batch, length = [], [], 0
    for recording in recordings:
        batch.append(recording)
        length += len(recording)
        if length >= STRETCH:
            joined.append(np.concatenate(batch))
            batch, length = [], 0
    return joined + ([np.concatenate(batch)] if batch else [])


def hear(model: Model, settings: dict[str, Any], stream: Positive | Audio) -> dict[float, Outcome]:
    """What the detector makes of it at every threshold.

    Up to its first trigger a stream is the same at any threshold: it is streamed once for all of them, and
    again only where more than the first trigger counts.
    """
    positive, audio = (stream, stream.audio) if isinstance(stream, Positive) else (None, stream)
    silent = Detector(model, **{**settings, "threshold": 1.0} | ({} if model.verifier else NEVER))
    silent.prime()
    steps = list(silent.steps(audio))
    outcomes = {}
    for threshold in THRESHOLDS:
        detector = Detector(model, **{**settings, "threshold": threshold})
        first = _first_trigger(model, steps, detector.settings)
        if first is None or (positive and first >= positive.start):
            times = [] if first is None else [first]
        else:
            detector.prime()
            times = [trigger.stream_time for trigger in detector.feed(audio)]
        hits = [t for t in times if positive and positive.start <= t <= positive.end + GRACE]
        latencies = [hits[0] - positive.end] if positive and hits else []
        outcomes[threshold] = Outcome(latencies, 0 if positive else len(times))
    return outcomes


def _first_trigger(model: Model, steps: list[Step], settings: Settings) -> float | None:
    """When these steps of a stream would first fire, stream time in seconds."""
    if model.verifier:
        return next((s.time for s in steps if s.verified and s.verified >= settings.threshold), None)
    debouncer = Debouncer(settings.threshold, settings.patience, settings.release, settings.refractory)
    fired = (step.time for step in steps if debouncer.push(step.posterior, step.time, step.warm))
    return next(fired, None)


def curve(
    model: Model,
    positives: list[Positive],
    negatives: list[Audio],
    settings: dict[str, Any] | None = None,
    jobs: int = 1,
    on_stream: Callable[[], None] = lambda: None,
) -> list[Point]:
    """FRR and FA/h at every threshold. settings: Detector's. jobs: processes."""
    streams: list[Positive | Audio] = [*positives, *negatives]
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


def _piece(recordings: list[Audio], length: int, random: np.random.Generator) -> npt.NDArray[np.float32]:
    """A random stretch of one recording, repeated where it is shorter; silence where there is none."""
    if not recordings:
        return np.zeros(length, np.float32)
    recording = recordings[random.integers(len(recordings))]
    start = random.integers(max(1, len(recording) - length + 1))
    return np.resize(recording[start : start + length].astype(np.float32), length)


def _int16(audio: npt.NDArray[np.float32]) -> Audio:
    return to_int16(audio / FULL_SCALE)
