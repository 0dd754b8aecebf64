"""``kwsd teach``: adapts a model to the voices of its users, and tells what that changes. Needs no torch."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_float32
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.model import Model
from kwsd.runtime.verifier import MAX_HEADS
from kwsd.training.data.reader import Audio, Reader
from kwsd.training.data.speech_commands import files_of
from kwsd.training.data.spool import Recording
from kwsd.training.release.modelfile import save_model
from kwsd.training.teaching.bonus import Discriminant, Windows, with_bonus
from kwsd.training.teaching.takes import (
    audio_between_silence,
    in_noise,
    speech_windows,
    word_windows,
)
from kwsd.training.workflows.progress import SILENT, Progress, warn_of_recordings

FEWEST = 3  # recordings
FOLDS = 10  # in which recordings are held out, at most
NOISE_SNR = 10.0  # dB of the noise in which the recordings are also tried
LOWEST_CANDIDATE = 0.005  # the lowest threshold of the first stage that is set
TAUGHT = "taught"  # in the facts of a model


@dataclass(frozen=True)
class Taught:
    """A model that was taught, and how many of the held-out recordings were heard before and after."""

    model: Model
    recordings: int
    before: tuple[int, int]
    """Of the recordings as they are, and in noise."""

    after: tuple[int, int]
    """The same, each by a model that was taught with other recordings."""

    no_candidate: int
    """Recordings in which the first stage of the original finds no candidate."""

    alarms: tuple[int, int] = (0, 0)
    """False alarms before and after in `hours` of speech without the word."""

    hours: float = 0.0

    def lines(self) -> list[str]:
        """What changed, in sentences."""
        n = self.recordings
        found = [
            f"of {n} recordings, each left out in turn: {self.before[0]} heard before, {self.after[0]} now; "
            f"in noise at {NOISE_SNR:g} dB: {self.before[1]} before, {self.after[1]} now"
        ]
        if self.no_candidate:
            found.append(
                f"the first stage did not react to {self.no_candidate} of them; its candidate threshold is "
                f"{self.model.settings.candidate_threshold:.3g} now"
            )
        if self.hours:
            found.append(
                f"false alarms in {self.hours:.2f} h of speech: {self.alarms[0]} before, {self.alarms[1]} now"
            )
        return found


def teach_folders(
    model: Model,
    recordings: Sequence[Path],
    others: Sequence[Path],
    speech: Sequence[Path],
    out: Path,
    progress: Progress = SILENT,
) -> Taught:
    """Teach a model with the recordings in folders (see `teach`), and write it to `out`.

    Raises UsageError, before anything is read, if the model cannot be taught or there are too few recordings.
    """
    check_teachable(model)
    check_enough(model.keyword, recordings)
    reader = Reader()
    takes, rejected = (
        [
            audio
            for folder in folders
            for path in files_of(folder)
            if (audio := reader.utterance(path)) is not None
        ]
        for folders in (recordings, others)
    )
    negatives = reader.recordings(path for folder in speech for path in files_of(folder))
    warn_of_recordings(reader, progress)
    with progress.stage("teaching", None):
        taught = teach(model, takes, rejected, progress)
    if negatives:
        with progress.stage("counting false alarms", 2 * len(negatives)):
            alarms = (
                false_alarms(model, negatives, progress),
                false_alarms(taught.model, negatives, progress),
            )
        hours = sum(map(len, negatives)) / SAMPLE_RATE / 3_600
        taught = replace(taught, alarms=alarms, hours=hours)
    save_model(taught.model, out)
    for line in taught.lines():
        progress.note(line)
    return taught


def false_alarms(model: Model, negatives: Sequence[Recording], progress: Progress) -> int:
    """The number of a model's triggers in recordings without the word."""
    count = 0
    for recording in negatives:
        count += len(triggers(model, to_float32(recording[:])))
        progress.batch()
    return count


def check_enough(keyword: str, folders: Sequence[Path]) -> None:
    """Raise UsageError if folders have fewer than FEWEST recordings, before long work."""
    _check_count(keyword, sum(1 for folder in folders for _ in files_of(folder)))


def _check_count(keyword: str, count: int) -> None:
    if count < FEWEST:
        raise UsageError(f"{count} recordings of {keyword!r} are too few; at least {FEWEST} are needed")


def check_teachable(model: Model) -> None:
    """Raise UsageError for a model that has no second stage, or was taught already."""
    if not model.verifier:
        raise UsageError(
            f"{model.name} has no second stage, which is what kwsd teach adapts; use another model"
        )
    if TAUGHT in model.facts or 2 * len(model.verifier["output.bias"]) > MAX_HEADS:
        raise UsageError(
            f"{model.name} was taught already; teach the original with the recordings of all its users"
        )


def teach(
    model: Model, takes: Sequence[Audio], others: Sequence[Audio] = (), progress: Progress = SILENT
) -> Taught:
    """Adapt a model to the speakers of recordings of its word.

    takes: recordings of the word, of up to 10 s each. others: what sounds like the word and is not.
    Raises UsageError if there are fewer than FEWEST recordings.
    """
    _check_count(model.keyword, len(takes))
    adaptation = Adaptation(model, others)
    examples = [adaptation.example(take) for take in takes]
    count = len(takes)
    before, after = np.zeros(2, int), np.zeros(2, int)
    for fold in range(min(FOLDS, count)):
        held_out = range(fold, count, FOLDS)
        without = adaptation.taught([examples[i] for i in range(count) if i not in held_out])
        for i in held_out:
            before += hears(model, takes[i])
            after += hears(without, takes[i])
            progress.batch()
    facts = model.facts | {TAUGHT: {"recordings": count, "date": datetime.date.today().isoformat()}}
    return Taught(
        model=replace(adaptation.taught(examples), facts=facts),
        recordings=count,
        before=(int(before[0]), int(before[1])),
        after=(int(after[0]), int(after[1])),
        no_candidate=sum(one.peak < model.settings.candidate_threshold for one in examples),
    )


class Example(NamedTuple):
    """What both stages of a model make of a recording of its word."""

    windows: Windows
    """What the heads see at the end of the word, in some variants."""

    peak: float
    """The highest posterior of the first stage."""


class Adaptation:
    """Adapts a model to several sets of recordings."""

    def __init__(self, model: Model, others: Sequence[Audio] = ()) -> None:
        """others: what sounds like the word and is not. Raises UsageError as `check_teachable` does."""
        check_teachable(model)
        assert model.verifier is not None
        self._model, self._verifier = model, model.verifier
        speech = speech_windows(model.verifier)
        self._discriminant = Discriminant(speech)
        self._not_word = np.concatenate([speech[:0], *(word_windows(one, model.verifier) for one in others)])

    def example(self, take: Audio) -> Example:
        """What the model makes of a recording of its word."""
        return Example(word_windows(take, self._verifier), first_stage_peak(self._model, take))

    def taught(self, examples: Sequence[Example]) -> Model:
        """The model with a bonus for these recordings, and a candidate threshold that all of them reach."""
        seen = np.concatenate([example.windows for example in examples])
        bonus = self._discriminant.bonus(seen, self._not_word)
        reached = max(LOWEST_CANDIDATE, 0.9 * min(example.peak for example in examples))
        threshold = min(self._model.settings.candidate_threshold, reached)
        return replace(
            self._model,
            verifier=with_bonus(self._verifier, bonus),
            settings=self._model.settings.override(candidate_threshold=round(threshold, 4)),
        )


def first_stage_peak(model: Model, take: Audio) -> float:
    """The highest posterior of the first stage in a recording."""
    detector = Detector([model], [model.settings.override(threshold=1.0)])
    detector.warm_up()
    steps = detector.steps(_between_silence(take))
    return max((step.posterior for step in steps if step.warm), default=0.0)


def hears(model: Model, take: Audio) -> tuple[bool, bool]:
    """Whether a model hears its word in a recording, as it is and in noise."""
    quiet = _between_silence(take)
    noisy = in_noise(quiet, NOISE_SNR, np.random.default_rng(1))
    return bool(triggers(model, quiet)), bool(triggers(model, noisy))


def triggers(model: Model, samples: Samples) -> list[float]:
    """The stream times of a model's triggers in audio."""
    detector = Detector([model], [model.settings])
    detector.warm_up()
    padded = np.concatenate((samples, np.zeros(FINAL_SILENCE_SAMPLES, np.float32)))
    return [trigger.stream_time for trigger in detector.feed(padded)]


def _between_silence(take: Audio) -> Samples:
    """A recording between silence, as a microphone would deliver it."""
    return audio_between_silence(to_float32(take), np.random.default_rng(0))
