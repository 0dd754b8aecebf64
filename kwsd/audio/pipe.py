"""Audio from standard input: raw 16 kHz mono int16 little-endian, as ``arecord -t raw`` gives it."""

import itertools
import logging
import math
import os
import select
import struct
import sys
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kwsd.audio.formats.kinds import is_undecided, kind_of
from kwsd.audio.formats.wav import FLOAT, PCM, parse_form
from kwsd.audio.source import Chunk, Recorded
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, to_float32

LINUX = "arecord -t raw -f S16_LE -r 16000 -c 1"
OTHERS = "ffmpeg -i FILE -f s16le -ar 16000 -ac 1 -"
COMMAND = f"{LINUX if sys.platform == 'linux' else OTHERS} | kwsd listen --input -"
BLOCK = 1 << 14  # bytes read at a time: half a second
WATCHED = 3 * SAMPLE_RATE  # samples that show what format they are of
LOUD = 3000  # standard deviation that samples have, at least, which are read in a wrong format
NOISE, VOICE = 1.0, 0.7  # roughness above which it may be noise, and below which it is none
FULL_SCALES = {"f": 8.0, "i": 2**31}  # largest magnitudes of samples: floats are of [-1, 1], or little more

log = logging.getLogger(__name__)


class PipeSource(Recorded):
    """Standard input. A WAV header, which arecord writes unless told not to, is checked and skipped."""

    name = "standard input"

    def __init__(self, descriptor: int = 0) -> None:
        """Raises UsageError where standard input is closed or a terminal."""
        self._descriptor = descriptor
        if descriptor == 0 and sys.stdin is None:  # whatever is open there now is no audio
            raise UsageError(f"standard input is closed; give it audio: {COMMAND}")
        if os.isatty(descriptor):
            raise UsageError(f"standard input is a terminal; give it audio: {COMMAND}")
        self._stopped, self._stop = os.pipe()
        self._stopping = False
        self._ended = False  # by its writer, before anybody said `stop`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._stopped)
        os.close(self._stop)

    def __iter__(self) -> Iterator[Chunk]:
        """Raises UsageError for a header that tells of other audio, AudioError where nothing comes."""
        held = b""
        begun = False
        heard = 0
        watch = FormatWatch()
        for data in itertools.chain(self._blocks(), (None,)):
            held += data or b""
            if not begun:
                header = header_size(held, ended=data is None)
                if header is None:
                    continue
                held = held[header:]
                begun = True
            whole = len(held) // 2 * 2
            if whole:
                samples = np.frombuffer(held[:whole], "<i2")
                watch.push(samples)
                yield Chunk(to_float32(samples))
            heard += whole
            held = held[whole:]
        if self._ended and not heard:
            raise AudioError(f"no audio came on standard input: {COMMAND}")
        if held:
            log.warning("standard input ended inside a sample: is it 16 kHz mono int16?")

    def stop(self) -> None:
        self._stopping = True
        os.write(self._stop, b".")

    def _blocks(self) -> Iterator[bytes]:
        """What comes in, until its end or `stop`: the wait is for either, so a silent pipe stops at once."""
        while self._wait():
            try:
                data = os.read(self._descriptor, BLOCK)
            except OSError as error:
                raise AudioError(f"cannot read standard input: {error.strerror}; {COMMAND}") from error
            if not data:
                self._ended = not self._stopping
                return
            yield data

    def _wait(self) -> bool:
        """Wait for audio or its end; False after `stop`. On Windows reading waits, for audio alone."""
        if sys.platform == "win32":
            return not self._stopping
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._stopped, select.POLLIN)
        return self._stopped not in dict(poll.poll())


def header_size(head: bytes, ended: bool = False) -> int | None:
    """Bytes of WAV header at this head of a stream: 0 for raw audio, None if it is too short to tell.

    ended: there is no more. Raises UsageError where the WAV is not 16 kHz mono int16, or it is a file of
    another kind.
    """
    if kind_of(head):
        raise UsageError("standard input is an audio file, not raw audio: kwsd listen --input FILE")
    if not b"RIFF".startswith(head[:4]) or (len(head) >= 12 and head[8:12] != b"WAVE"):
        return 0 if ended or not is_undecided(head) else None
    at = 12
    while len(head) >= at + 8:
        tag, size = struct.unpack_from("<4sI", head, at)
        if tag == b"data":
            return at + 8
        if tag == b"fmt " and len(head) >= at + 8 + size >= at + 24:
            form = parse_form(head[at + 8 : at + 8 + size])
            if (form.rate, form.channels, form.bits, form.tag) != (SAMPLE_RATE, 1, 16, PCM):
                codec = {PCM: "", FLOAT: " (float)"}.get(form.tag, f" (codec {form.tag})")
                what = f"{form.rate} Hz, {form.channels} channels, {form.bits} bits{codec}"
                raise UsageError(f"standard input is a WAV of {what}; 16 kHz mono int16 is needed: {COMMAND}")
        at += 8 + size + size % 2
    return None if not ended else len(head) if head.startswith(b"RIFF") else 0


class FormatWatch:
    """Warns once where raw audio sounds like samples of another format, which no header says."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.int16]] = []
        self._length = 0

    def push(self, samples: npt.NDArray[np.int16]) -> None:
        """Take samples, shape (n,)."""
        if self._length >= WATCHED or not samples.any():
            return
        self._parts.append(samples)
        self._length += len(samples)
        if self._length >= WATCHED:
            if found := other_format(np.concatenate(self._parts)):
                log.warning("standard input sounds like %s; kwsd takes 16 kHz mono int16: %s", found, COMMAND)
            self._parts = []


def other_format(samples: npt.NDArray[np.int16]) -> str | None:
    """What int16 samples, shape (n,), are rather than one channel of audio; None where they may be that.

    Audio that is read in a wrong format is noise, of which each sample differs from the one before.
    """
    if samples.std() > LOUD and roughness(samples) > NOISE:
        pairs = samples[: len(samples) // 2 * 2]
        for what, other in (
            ("32-bit floats", pairs.view("<f4")),
            ("32-bit samples", pairs.view("<i4")),
            ("big-endian samples", samples.view(">i2")),
        ):
            if roughness(other) < VOICE:
                return what
    return "two channels" if is_stereo(samples) else None


def roughness(samples: npt.NDArray[Any]) -> float:
    """Power of the steps from sample to sample over that of the samples, shape (n,): 2 for white noise."""
    with np.errstate(invalid="ignore"):
        values = samples.astype(np.float64)
    if not np.isfinite(values).all() or np.abs(values).max() > FULL_SCALES[samples.dtype.kind]:
        return math.inf
    power = np.square(values - values.mean()).mean()
    return float(np.square(np.diff(values)).mean() / power) if power else math.inf


def is_stereo(samples: npt.NDArray[np.int16]) -> bool:
    """Whether samples, shape (n,), are rather two channels in turn than one.

    In one channel the steps from even to odd samples are as large as those from odd to even, and smaller than
    those to the next but one.
    """
    left, right = samples[: len(samples) // 2 * 2].astype(np.float64).reshape(-1, 2).T
    within, across = np.square(right - left).mean(), np.square(left[1:] - right[:-1]).mean()
    alike = (np.square(np.diff(left)).mean() + np.square(np.diff(right)).mean()) / 2
    return bool(not 0.5 <= (within + 1) / (across + 1) <= 2 or alike + 1 < 0.25 * min(within, across))
