"""Keeps the seconds before each trigger as WAV files, under a cap; written in a thread of their own."""

import logging
import os
import queue
import re
import threading
import wave
from collections import deque
from datetime import UTC
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from kwsd.daemon.events import Event
from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_int16

OURS = re.compile(r"kwsd-\d{8}T\d{6}\.\d{6}Z-[\w-]+\.wav")
HEADER = 44  # bytes of a WAV file before its audio
MARGIN = SAMPLE_RATE  # samples kept beyond that, as a trigger comes after the chunk it is in
WAITING = 8  # clips that may wait to be written

log = logging.getLogger(__name__)

Clip = npt.NDArray[np.int16]


class Clips:
    """Saves `seconds` of audio per trigger in `folder`; its oldest clips go, to keep under `limit` bytes."""

    def __init__(self, folder: Path, seconds: float, limit: int) -> None:
        """Raises UsageError where the folder cannot be made or written to, or the limit fits no clip."""
        self._folder = folder
        self._length = round(seconds * SAMPLE_RATE)
        self._limit = limit
        self._chunks: deque[Clip] = deque()  # the newest audio, `_length` samples or more
        self._held = 0  # samples in them
        self._heard = 0  # samples since the stream's beginning
        self._queue: queue.Queue[tuple[Path, Clip] | None] = queue.Queue(WAITING)
        self._writer = threading.Thread(target=self._write_all, daemon=True)
        if self._length * 2 + HEADER > limit:
            raise UsageError(f"a clip of {seconds:g} s is larger than the limit for all, {limit / 1e6:g} MB")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder {str(folder)!r} for clips: {error.strerror}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write clips to {str(folder)!r}: permission denied")

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Wait until all clips are written."""
        self._queue.put(None)
        self._writer.join()

    def on_audio(self, samples: Samples, _posterior: float) -> None:
        if not len(samples):  # hours of them may come while there is no microphone
            return
        chunk = to_int16(samples)
        self._chunks.append(chunk)
        self._held += len(chunk)
        self._heard += len(chunk)
        while self._held - len(self._chunks[0]) >= self._length + MARGIN:
            self._held -= len(self._chunks.popleft())

    def on_gap(self, seconds: float) -> None:
        """Audio is missing here: no clip reaches back beyond it."""
        self._heard += round(seconds * SAMPLE_RATE)
        self._chunks.clear()
        self._held = 0

    def on_trigger(self, event: Event) -> None:
        """Queue what was heard up to the trigger."""
        after = self._heard - round(event.stream_time * SAMPLE_RATE)
        audio = np.concatenate(self._chunks)
        end = max(0, len(audio) - after)
        keyword = re.sub(r"[^\w-]", "_", event.keyword)
        name = f"kwsd-{event.time.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z-{keyword}.wav"
        try:
            self._queue.put_nowait((self._folder / name, audio[max(0, end - self._length) : end]))
        except queue.Full:
            log.warning("clip %s is dropped: %d clips still wait to be written", name, WAITING)

    def _write_all(self) -> None:
        while item := self._queue.get():
            path, clip = item
            try:
                self._make_room(clip.nbytes + HEADER)
                _write(path, clip)
            except OSError as error:
                log.error("clip %s is lost: %s", path, error)

    def _make_room(self, size: int) -> None:
        """Remove the oldest of our clips until `size` bytes fit under the cap."""
        ours = sorted(path for path in self._folder.iterdir() if OURS.fullmatch(path.name))
        sizes = [path.stat().st_size for path in ours]
        total = sum(sizes) + size
        for path, freed in zip(ours, sizes, strict=True):
            if total <= self._limit:
                return
            path.unlink()
            total -= freed


def _write(path: Path, clip: Clip) -> None:
    """Write a WAV file that only its owner can read; where that fails, leave none."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file, wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(SAMPLE_RATE)
            wav.writeframes(clip.tobytes())
    except OSError:
        path.unlink()
        raise
