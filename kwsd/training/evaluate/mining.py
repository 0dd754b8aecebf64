"""Hard negatives: what a model mistakes for its keyword in recordings that do not hold it."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.training.data.reader import Reader
from kwsd.training.data.spool import Audio, Spool
from kwsd.training.evaluate.conditions import NOWHERE, Negative, Surroundings

BEFORE, AFTER = 2.0, 0.5  # seconds kept around a false alarm
KEPT = round((BEFORE + AFTER + 1) * SAMPLE_RATE)  # samples in which the clip of a trigger to come begins
MINED = "mined.txt"  # in the output folder: the files gone through


def mine(
    model: Model,
    files: Iterable[Path],
    out: Path,
    threshold: float,
    on_file: Callable[[Path, int], None],
    around: Surroundings = NOWHERE,
    reader: Reader | None = None,
) -> None:
    """Stream each file and write what fires, 2.5 s around it, to `out`/STEM@SECONDS[-SNRdB].flac.

    A verifier is not asked: it has to learn to refuse these, too. Files gone through before, by their names
    in `out`/mined.txt, are passed over. on_file: called after each with the number of clips it gave. around:
    noise and rooms that the files are heard in, as are the clips. reader: is told what is left out.
    """
    import soundfile

    out.mkdir(parents=True, exist_ok=True)
    done = out / MINED
    known = set(done.read_text("utf-8", "surrogateescape").splitlines()) if done.exists() else set()
    reader = reader or Reader()
    settings = model.settings.override(threshold=threshold, patience=1)
    detector = Detector(replace(model, verifier=None), settings)
    random = np.random.default_rng(0)
    noise = f"-{around.snr:g}dB" if around.snr is not None else ""
    with done.open("a", encoding="utf-8", errors="surrogateescape") as log:
        for path in files:
            if f"{path}{noise}" in known:
                continue
            recording = reader.recording(path, Spool())
            if recording is None:
                continue
            stream = Negative([recording], around, random)
            count = 0
            for time, clip in _clips(detector, stream):
                with (out / f"{path.stem}@{time:.2f}{noise}.flac").open("wb") as file:
                    soundfile.write(file, clip, SAMPLE_RATE, format="FLAC")
                count += 1
            log.write(f"{path}{noise}\n")
            log.flush()
            on_file(path, count)


def _clips(detector: Detector, stream: Negative) -> Iterator[tuple[float, Audio]]:
    """Stream time of each trigger, in seconds, and what is heard around it."""
    before, whole = round(BEFORE * SAMPLE_RATE), round((BEFORE + AFTER) * SAMPLE_RATE)
    held: Audio = np.zeros(before, np.int16)  # of the stream with silence before and behind it
    start = 0  # of `held` in it, in samples
    times: list[float] = []  # of triggers whose clips are not whole yet
    detector.warm_up()
    for block in itertools.chain(stream.blocks(), (None,)):
        if block is None:
            block = np.zeros(whole - before, np.int16)
        else:
            times += [trigger.stream_time for trigger in detector.feed(block)]
        held = np.concatenate((held, block))
        while times and round(times[0] * SAMPLE_RATE) + whole <= start + len(held):
            at = round(times[0] * SAMPLE_RATE) - start
            yield times.pop(0), held[at : at + whole]
        kept = held[-KEPT:]
        start, held = start + len(held) - len(kept), kept
