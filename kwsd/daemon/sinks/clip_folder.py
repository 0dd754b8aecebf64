"""Writes clips to a folder, in a thread of its own, and limits the size of all files in it."""

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
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from kwsd.daemon.sinks import clip_writer
from kwsd.daemon.sinks.processes import NO_CTRL_C
from kwsd.errors import UsageError, is_transient
from kwsd.pcm import SAMPLE_RATE, Int16

WAV_HEADER_BYTES = 44
QUEUE_SIZE = 8  # clips that may wait to be written
WRITE_TIMEOUT = 2.5  # seconds to wait for the disk, at the end or when a recording fills the queue
MAX_KEYWORD_BYTES = 100  # of the keyword in a file name

WhenDone = Callable[[Path | None], None]

log = logging.getLogger(__name__)


class ClipFolder:
    """A queue of clips. A thread starts a program for each, which writes it and removes the oldest clips."""

    def __init__(self, folder: Path, seconds: float, limit: int, live: bool = True) -> None:
        """seconds: length of the longest clip. limit: bytes that all clips in the folder may take.

        live: if the queue is full, lose the clip instead of waiting for the disk. Otherwise `save` waits for
        up to WRITE_TIMEOUT seconds.
        Raises UsageError if the folder cannot be made or written to, or if the limit is less than one clip.
        """
        self._queue_timeout = 0.0 if live else WRITE_TIMEOUT
        self._folder = folder
        self._limit = limit
        self._queue: queue.Queue[tuple[str, bytes, WhenDone] | None] = queue.Queue(QUEUE_SIZE)
        self._lost = 0  # clips that could not be saved since a clip was last saved
        self._reason = ""  # why the last of them was lost
        self._unremovable: set[str] = set()  # old clips that could not be removed, as already logged
        self._writer = threading.Thread(target=self._write_all, daemon=True)
        if round(seconds * SAMPLE_RATE) * 2 + WAV_HEADER_BYTES > limit:
            raise UsageError(
                f"a clip of {seconds:g} s is larger than the limit of {limit / 1e6:g} MB for all clips"
            )
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
        """Wait until all clips are written, for WRITE_TIMEOUT seconds at most."""
        with self._queue.all_tasks_done:
            self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, WRITE_TIMEOUT)
        if unwritten := self._queue.unfinished_tasks:
            log.error("%d clips were not written: %s does not respond", unwritten, self._folder)
            return
        self._queue.put(None)
        self._writer.join()

    def save(self, name: str, content: bytes, when_done: WhenDone = lambda _: None) -> None:
        """Queue a clip.

        when_done: called with its path once it is written, or with None if it is lost; in any thread.
        """
        try:
            item = (name, content, when_done)
            self._queue.put(item, block=self._queue_timeout > 0, timeout=self._queue_timeout)
        except queue.Full:
            self._report_loss(name, f"{QUEUE_SIZE} other clips are still waiting to be written")
            when_done(None)

    def _write_all(self) -> None:
        """Write the clips of the queue until it gives None. Runs in the thread of the writer."""
        while item := self._queue.get():
            name, content, when_done = item
            try:
                written = self._write(name, content)
            except (OSError, ValueError) as error:  # the writer failed, or printed something unexpected
                self._report_loss(name, str(error))
                written = False
            when_done(self._folder / name if written else None)
            self._queue.task_done()
        if self._lost > 1:
            log.error("%d clips were lost", self._lost)

    def _write(self, name: str, content: bytes) -> bool:
        """Run the program that writes a clip (see `clip_writer` for the reason). Returns whether it did."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", clip_writer.__file__, self._folder, name, str(self._limit)],
            input=content,
            capture_output=True,
            check=False,
            process_group=0,  # Ctrl-C must not interrupt it: kwsd waits until it has finished
            creationflags=NO_CTRL_C,
        )
        if done.returncode:
            raise ValueError(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
        result = json.loads(done.stdout)
        for kept, reason in result["kept"].items():
            if kept not in self._unremovable:
                log.warning("cannot remove the old clip %s: %s", self._folder / kept, reason)
        self._unremovable |= result["kept"].keys()
        if result["error"]:
            self._report_loss(name, result["error"])
            return False
        if self._lost:
            log.warning("clips are saved again; %d were lost", self._lost)
        self._lost, self._reason = 0, ""
        return True

    def _report_loss(self, name: str, reason: str) -> None:
        """Count a clip that is lost. Log each reason once until a clip is saved again."""
        self._lost += 1
        if reason != self._reason:
            log.error("clip %s is lost: %s", self._folder / name, reason)
        self._reason = reason


def clip_name(time: datetime, keyword: str) -> str:
    """The name of a clip. time: with its time zone."""
    return f"kwsd-{time.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z-{_file_name_part(keyword)}.wav"


def _file_name_part(keyword: str) -> str:
    """The keyword with letters, digits, - and _ only, cut to MAX_KEYWORD_BYTES."""
    encoding = sys.getfilesystemencoding()
    encodable = keyword.encode(encoding, "replace").decode(encoding)
    word = re.sub(r"[^\w-]", "_", encodable)
    return word.encode(encoding)[:MAX_KEYWORD_BYTES].decode(encoding, "ignore")


def wav(clip: Int16) -> bytes:
    """The content of a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(clip.tobytes())
    return file.getvalue()
