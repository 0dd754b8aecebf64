"""``kwsd score``: run detectors over recordings joined in order, and draw the posteriors."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from kwsd.audio.file import FileSource
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.spotter import Step
from kwsd.training.report.outline import Outline


def score(files: Sequence[Path], detector: Detector, channel: int | None = None) -> Iterator[Step]:
    """The detector's steps over the files, joined in order.

    channel: the only one to use, from 1; None for the mean of all. Raises UsageError or AudioError, before
    the first step, if one of the files cannot be read.
    """
    check_files(files, channel)
    detector.warm_up()
    return (step for _, samples in joined(files, channel) for step in detector.steps(samples))


def draw_scores(
    files: Sequence[Path],
    detectors: Sequence[Detector],
    picture: Path,
    channel: int | None = None,
    on_step: Callable[[Step], None] = lambda _: None,
) -> None:
    """Draw the waveform and each detector's posteriors, a line for each word, to the file `picture`.

    channel: as in `score`. on_step: called with each step of the first detector. Raises the errors of
    `score`.
    """
    from kwsd.training.report.timeline import Track, draw_timeline

    check_files(files, channel)
    for detector in detectors:
        detector.warm_up()
    steps: list[dict[str, list[Step]]] = [{word: [] for word in one.keywords} for one in detectors]
    starts: list[float] = []  # of each file, in seconds
    outline, length = Outline(), 0
    for number, samples in joined(files, channel):
        if number == len(starts):
            starts.append(length / SAMPLE_RATE)
        length += len(samples)
        outline.push(samples)
        for detector, made in zip(detectors, steps, strict=True):
            for step in detector.steps(samples):
                keep(step, made)
                if made is steps[0]:
                    on_step(step)
    names = (file.parent.name or file.stem for file in files)
    tracks = [
        Track.of(spotter, made[spotter.keyword], named=len(detector.spotters) > 1)
        for detector, made in zip(detectors, steps, strict=True)
        for spotter in detector.spotters
    ]
    words = list(zip(starts, names, strict=True))
    draw_timeline(outline.values, length / SAMPLE_RATE, words, tracks, picture)


def keep(step: Step, steps: dict[str, list[Step]]) -> None:
    """Add a step to those of its word, and its trigger to the step that made it, which may be earlier."""
    steps[step.keyword].append(step._replace(trigger=None))
    if trigger := step.trigger:
        own = steps[trigger.keyword]
        number = next(n for n in reversed(range(len(own))) if own[n].time == trigger.stream_time)
        own[number] = own[number]._replace(trigger=trigger)


def check_files(files: Sequence[Path], channel: int | None) -> None:
    """Raise UsageError or AudioError if one of the files cannot be read."""
    for file in files:
        with FileSource(file, channel):
            pass


def joined(files: Sequence[Path], channel: int | None) -> Iterator[tuple[int, Samples]]:
    """The samples of the files, then silence, in which the last word can still trigger.

    Each chunk comes with the index of its file. Raises UsageError or AudioError as FileSource does.
    """
    for number, file in enumerate(files):
        with FileSource(file, channel) as source:
            for chunk in source:
                yield number, chunk.samples
    yield number, np.zeros(FINAL_SILENCE_SAMPLES, np.float32)
