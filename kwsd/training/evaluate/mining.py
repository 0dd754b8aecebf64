"""Mines hard negatives: clips of a model's false alarms in recordings without the keyword."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model, Settings
from kwsd.training.data.reader import Reader
from kwsd.training.data.spool import Audio, Spool
from kwsd.training.evaluate.conditions import AS_RECORDED, AcousticConditions
from kwsd.training.evaluate.streams import Negative
from kwsd.training.parallel import parallel

BEFORE_SAMPLES, AFTER_SAMPLES = 2 * SAMPLE_RATE, SAMPLE_RATE // 2  # of a clip before and after the trigger
CLIP_SAMPLES = BEFORE_SAMPLES + AFTER_SAMPLES
HISTORY_SAMPLES = CLIP_SAMPLES + SAMPLE_RATE  # kept for the clips of later triggers
DONE = "mined.txt"  # in the output folder: a digest of the detector, then names of the files it has mined


def mine(
    model: Model,
    files: Iterable[Path],
    out: Path,
    threshold: float,
    on_file: Callable[[Path, int], None],
    conditions: AcousticConditions = AS_RECORDED,
    reader: Reader | None = None,
    jobs: int | None = None,
) -> None:
    """Write a clip of 2.5 s around each false alarm in the files to `out`/STEM@SECONDS[-SNRdB].flac.

    Only the first stage runs, because the second must learn to reject these clips, too. Files that an earlier
    call mined are skipped (see `already_mined`). on_file: called after each file with the number of its
    clips. conditions: applied to the files, and so part of the clips. reader: remembers the files that cannot
    be used. jobs: as in `parallel`.
    """
    known = already_mined(model, threshold, out)
    out.mkdir(parents=True, exist_ok=True)
    noise = f"-{conditions.snr:g}dB" if conditions.snr is not None else ""
    detect = partial(_mine_file, replace(model, verifier=None), _settings(model, threshold))
    new = (path for path in files if f"{path}{noise}" not in known)
    with (out / DONE).open("a", encoding="utf-8", errors="surrogateescape") as log:
        if not log.tell():
            log.write(f"{_digest(model, threshold)}\n")
        for path, clips in parallel(detect, _streams(new, conditions, reader or Reader()), jobs):
            for time, clip in clips:
                _write(clip, out / f"{path.stem}@{time:.2f}{noise}.flac")
            log.write(f"{path}{noise}\n")
            log.flush()
            on_file(path, len(clips))


def already_mined(model: Model, threshold: float, out: Path) -> set[str]:
    """The files that earlier calls mined with this model and threshold, as `out`/mined.txt lists them.

    Raises UsageError if they mined with another model or threshold.
    """
    try:
        lines = (out / DONE).read_text("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        return set()
    if lines and lines[0] != _digest(model, threshold):
        raise UsageError(f"{out} was mined with another model or threshold; give another folder")
    return set(lines[1:])


def _settings(model: Model, threshold: float) -> Settings:
    return model.settings.override(threshold=threshold, patience=1)


def _digest(model: Model, threshold: float) -> str:
    """A hexadecimal number for everything that the detector depends on."""
    digest = hashlib.blake2b(repr((model.architecture, _settings(model, threshold))).encode(), digest_size=16)
    for name in sorted(model.weights):
        digest.update(np.ascontiguousarray(model.weights[name]).data)
    return digest.hexdigest()


def _streams(
    files: Iterable[Path], conditions: AcousticConditions, reader: Reader
) -> Iterator[tuple[Path, Negative]]:
    """The usable files, each as a separate stream."""
    random = np.random.default_rng(0)
    for path in files:
        recording = reader.recording(path, Spool())
        if recording is not None:
            yield path, Negative([recording], conditions, random)


def _mine_file(
    model: Model, settings: Settings, file: tuple[Path, Negative]
) -> tuple[Path, list[tuple[float, Audio]]]:
    path, stream = file
    return path, list(false_alarms(Detector(model, settings), stream))


def false_alarms(detector: Detector, stream: Negative) -> Iterator[tuple[float, Audio]]:
    """The stream time of each trigger, in seconds, and a clip of CLIP_SAMPLES around it.

    The stream counts as preceded and followed by silence.
    """
    held: Audio = np.zeros(BEFORE_SAMPLES, np.int16)
    start = -BEFORE_SAMPLES  # position of `held` in the stream, in samples
    triggers: list[float] = []  # times in seconds of those whose clips are not complete
    detector.warm_up()
    for block in itertools.chain(stream.blocks(), (None,)):
        if block is None:
            block = np.zeros(AFTER_SAMPLES, np.int16)
        else:
            triggers += [trigger.stream_time for trigger in detector.feed(block)]
        held = np.concatenate((held, block))
        while triggers and round(triggers[0] * SAMPLE_RATE) + AFTER_SAMPLES <= start + len(held):
            time = triggers.pop(0)
            begin = round(time * SAMPLE_RATE) - BEFORE_SAMPLES - start
            yield time, held[begin : begin + CLIP_SAMPLES].copy()
        kept = held[-HISTORY_SAMPLES:]
        start, held = start + len(held) - len(kept), kept


def _write(clip: Audio, path: Path) -> None:
    import soundfile

    soundfile.write(path, clip, SAMPLE_RATE, format="FLAC")
