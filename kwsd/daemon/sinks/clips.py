"""Keeps the seconds before each trigger as WAV files, under a cap; a process of its own writes each."""

import io
import json
import logging
import os
import queue
import re
import subprocess
import sys
import threading
import wave
from collections import deque
from datetime import UTC
from pathlib import Path
from typing import Self

import numpy as np

from kwsd.daemon.events import Event
from kwsd.daemon.sinks import clip_writer
from kwsd.daemon.sinks.processes import OUT_OF_REACH
from kwsd.daemon.sinks.sink import Sink
from kwsd.errors import UsageError, is_transient
from kwsd.pcm import SAMPLE_RATE, Int16, Samples, to_int16

HEADER = 44  # bytes of a WAV file before its audio
MARGIN = SAMPLE_RATE  # samples kept beyond that, as a trigger comes after the chunk it is in
WAITING = 8  # clips that may wait to be written
LAST = 2.5  # seconds that the end of kwsd waits for them
KEYWORD = 100  # bytes of a keyword that a file name has room for

log = logging.getLogger(__name__)


class Clips(Sink):
    """Saves `seconds` of audio per trigger in `folder`; its oldest clips go, to keep under `limit` bytes."""

    def __init__(self, folder: Path, seconds: float, limit: int, live: bool = True) -> None:
        """`live`: a trigger must not wait for the disk. That of a recording does, for up to LAST seconds.

        Raises UsageError where the folder cannot be made or written to, or the limit fits no clip.
        """
        self._patience = 0.0 if live else LAST
        self._folder = folder
        self._length = round(seconds * SAMPLE_RATE)
        self._limit = limit
        self._chunks: deque[Int16] = deque()  # the newest audio, `_length` samples or more
        self._held = 0  # samples in them
        self._heard = 0  # samples since the stream's beginning
        self._queue: queue.Queue[tuple[str, Int16] | None] = queue.Queue(WAITING)
        self._lost = 0  # clips that could not be written, since the last that could
        self._reason = ""  # for the last of them
        self._kept: set[str] = set()  # what is known not to be removable
        self._writer = threading.Thread(target=self._write_all, daemon=True)
        if self._length * 2 + HEADER > limit:
            raise UsageError(f"a clip of {seconds:g} s is larger than the limit for all, {limit / 1e6:g} MB")
        try:
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"cannot make the folder {str(folder)!r} for clips: {error.strerror}", is_transient(error)
            ) from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"cannot write clips to {str(folder)!r}: permission denied", transient=True)

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Wait until all clips are written, but not for ever."""
        with self._queue.all_tasks_done:
            self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, LAST)
        if unwritten := self._queue.unfinished_tasks:
            log.error("%d clips are not written: %s does not answer", unwritten, self._folder)
            return
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
        name = f"kwsd-{event.time.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z-{_file_name_part(event.keyword)}.wav"
        try:
            clip = audio[max(0, end - self._length) : end]
            self._queue.put((name, clip), block=self._patience > 0, timeout=self._patience)
        except queue.Full:
            self._lose(name, f"{WAITING} others still wait to be written")

    def _write_all(self) -> None:
        while item := self._queue.get():
            name, clip = item
            try:
                self._write(name, clip)
            except (OSError, ValueError) as error:  # of the process, or what it printed
                self._lose(name, str(error))
            self._queue.task_done()
        if self._lost > 1:
            log.error("%d clips are lost", self._lost)

    def _write(self, name: str, clip: Int16) -> None:
        """Have a clip written, and say what came of it."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", clip_writer.__file__, self._folder, name, str(self._limit)],
            input=_wav(clip),
            capture_output=True,
            check=False,
            process_group=0,  # Ctrl-C is for kwsd, which lets it finish
            creationflags=OUT_OF_REACH,
        )
        if done.returncode:
            raise ValueError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
        result = json.loads(done.stdout)
        for kept, reason in result["kept"].items():
            if kept not in self._kept:
                log.warning("the old clip %s cannot be removed and stays: %s", self._folder / kept, reason)
        self._kept |= result["kept"].keys()
        if result["error"]:
            self._lose(name, result["error"])
            return
        if self._lost:
            log.warning("clips are saved again; %d are lost", self._lost)
        self._lost, self._reason = 0, ""

    def _lose(self, name: str, reason: str) -> None:
        """Count a clip that is not saved; say why, once for each reason until one is saved."""
        self._lost += 1
        if reason != self._reason:
            log.error("clip %s is lost: %s", self._folder / name, reason)
        self._reason = reason


def _file_name_part(keyword: str) -> str:
    """The keyword in letters, digits, - and _ of the file system's encoding, cut to KEYWORD bytes."""
    encoding = sys.getfilesystemencoding()
    known = keyword.encode(encoding, "replace").decode(encoding)
    word = re.sub(r"[^\w-]", "_", known)
    return word.encode(encoding)[:KEYWORD].decode(encoding, "ignore")


def _wav(clip: Int16) -> bytes:
    """A WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(clip.tobytes())
    return file.getvalue()
