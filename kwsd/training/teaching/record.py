"""Records a word several times from a microphone, and says what is wrong with a recording."""

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import soundfile

from kwsd.audio.source import Source
from kwsd.errors import AudioError, KwsdError
from kwsd.pcm import SAMPLE_RATE, Int16, to_int16

TAKE_SECONDS = 2.5  # of a recording
PAUSE_SECONDS = 0.3  # after a prompt, for its sound to end
FRAME_SAMPLES = SAMPLE_RATE // 20  # 50 ms
CLIPPED_SAMPLES = 3  # at full scale that are clipping
QUIETEST = 0.003  # amplitude (root mean square) of the loudest frame, full scale 1: -50 dB
STANDS_OUT = 3.0  # amplitude of the loudest frame over that of the quiet ones: 10 dB
CUT_OFF = 0.3  # amplitude of the last frames over that of the loudest one
MOST_FAILURES = 5  # recordings in a row with something wrong


def record_takes(
    source: Source,
    folder: Path,
    count: int,
    prompt: Callable[[int, str], None],
    recorded: Callable[[Path], None] = lambda _: None,
) -> list[Path]:
    """Record `count` takes into a folder, each as soon as it is complete. Returns their paths.

    prompt: called with the number of the take, from 1, and with what was wrong with the last try, or "".
    recorded: called with each take. Raises AudioError if MOST_FAILURES tries in a row were no good or the
    microphone ends.
    """
    paths: list[Path] = []
    failures, wrong = 0, ""
    audio = _audio(source)
    while len(paths) < count:
        prompt(len(paths) + 1, wrong)
        take = _next_take(source, audio)
        wrong = "some audio was lost" if take is None else problem(take)
        if take is None or wrong:
            failures += 1
            if failures == MOST_FAILURES:
                raise AudioError(
                    f"{failures} recordings in a row were no good, the last one: {wrong}; kwsd doctor"
                )
            continue
        failures = 0
        paths.append(_write(take, folder))
        recorded(paths[-1])
    return paths


def problem(take: Int16) -> str:
    """What is wrong with a recording of a word; empty if it is good."""
    if np.count_nonzero(np.abs(take.astype(np.int32)) >= 32_767) >= CLIPPED_SAMPLES:
        return "it is clipped: speak more softly, or turn the microphone down"
    whole = take[: len(take) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES) / 32_768
    levels = np.sqrt(np.square(whole).mean(axis=1))
    if levels.max() < STANDS_OUT * np.quantile(levels, 0.2) or levels.max() == 0:
        return "nothing was heard above the noise: speak louder or closer to the microphone"
    if levels.max() < QUIETEST:
        return "it is too quiet: speak louder, or turn the microphone up"
    if levels[-2:].max() > CUT_OFF * levels.max():
        return "its end is cut off: speak as soon as you are asked to"
    return ""


def _audio(source: Source) -> Iterator[tuple[Int16, bool]]:
    """The chunks of a source that are not empty, and whether audio is missing before them."""
    missing = False
    for samples, gap in source:
        missing = missing or gap > 0
        if len(samples):
            yield to_int16(samples), missing
            missing = False


def _next_take(source: Source, audio: Iterator[tuple[Int16, bool]]) -> Int16 | None:
    """The next recording, without what was heard before it; None if audio was missing in it."""
    skip = round((source.backlog + PAUSE_SECONDS) * SAMPLE_RATE)
    wanted = skip + round(TAKE_SECONDS * SAMPLE_RATE)
    parts: list[Int16] = []
    for samples, missing in audio:
        if missing and parts:
            return None
        parts.append(samples)
        if sum(map(len, parts)) >= wanted:
            return np.concatenate(parts)[skip:wanted]
    raise AudioError("the microphone ended")


def _write(take: Int16, folder: Path) -> Path:
    """Write a recording to a file whose name is the time. Raises KwsdError."""
    path = folder / f"{datetime.now():%Y%m%dT%H%M%S.%f}.wav"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, take, SAMPLE_RATE)
    except (OSError, soundfile.SoundFileError) as error:
        raise KwsdError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    return path
