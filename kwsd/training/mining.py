"""Hard negatives: what a model mistakes for its keyword in recordings that do not hold it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.training.field import Surroundings, around_negative
from kwsd.training.reader import Reader

BEFORE, AFTER = 2.0, 0.5  # seconds kept around a false alarm
MINED = "mined.txt"  # in the output folder: the files gone through


def mine(
    model: Model,
    files: Iterable[Path],
    out: Path,
    threshold: float,
    on_file: Callable[[Path, int], None],
    around: Surroundings | None = None,
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
    detector = Detector(replace(model, verifier=None), threshold=threshold, patience=1)
    random = np.random.default_rng(0)
    noise = f"-{around.snr:g}dB" if around and around.snr is not None else ""
    with done.open("a", encoding="utf-8", errors="surrogateescape") as log:
        for path in files:
            if f"{path}{noise}" in known:
                continue
            audio = reader.sound(path)
            if audio is None:
                continue
            if around:
                audio = around_negative(audio, around, random)
            padded = np.pad(audio, (round(BEFORE * SAMPLE_RATE), round(AFTER * SAMPLE_RATE)))
            detector.prime()
            triggers = detector.feed(audio)
            for trigger in triggers:
                start = round(
                    trigger.stream_time * SAMPLE_RATE
                )  # in `padded`, BEFORE earlier than the trigger
                clip = padded[start : start + round((BEFORE + AFTER) * SAMPLE_RATE)]
                name = f"{path.stem}@{trigger.stream_time:.2f}{noise}.flac"
                soundfile.write(out / name, clip, SAMPLE_RATE)
            log.write(f"{path}{noise}\n")
            log.flush()
            on_file(path, len(triggers))
