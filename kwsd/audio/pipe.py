"""Audio from standard input: raw 16 kHz mono int16 little-endian, such as from ``arecord -t raw``."""

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
BLOCK_BYTES = 1 << 14  # read at a time: half a second
CHECKED_SAMPLES = 3 * SAMPLE_RATE  # used to recognize the sample format
MIN_WRONG_DEVIATION = 3000  # lowest standard deviation (int16) of samples read in a wrong format
MIN_NOISE_ROUGHNESS = 1.0  # of samples that were probably read in a wrong format
MAX_VOICE_ROUGHNESS = 0.7  # of samples that were read in their own format
MAX_MAGNITUDE = {"f": 8.0, "i": 2**31}  # of floats, which may exceed full scale, and of integers

log = logging.getLogger(__name__)


class PipeSource(Recorded):
    """Standard input. A WAV header, which arecord writes by default, is checked and skipped."""

    name = "standard input"

    def __init__(self, descriptor: int = 0) -> None:
        """descriptor: the file descriptor to read. Raises UsageError if it is closed or a terminal."""
        self._descriptor = descriptor
        if descriptor == 0 and sys.stdin is None:  # descriptor 0 may then belong to another file
            raise UsageError(f"standard input is closed; pipe audio into it: {COMMAND}")
        if os.isatty(descriptor):
            raise UsageError(f"standard input is a terminal; pipe audio into it: {COMMAND}")
        self._stopped, self._stop = os.pipe()
        self._stopping = False
        self._ended = False  # whether the writer, and not `stop`, has ended the input

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self._stopped)
        os.close(self._stop)

    def __iter__(self) -> Iterator[Chunk]:
        """Raises UsageError if a header announces a different format, AudioError if there is no audio."""
        held = b""
        begun = False
        received = 0  # bytes
        check = FormatCheck()
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
                check.push(samples)
                yield Chunk(to_float32(samples))
            received += whole
            held = held[whole:]
        if self._ended and not received:
            raise AudioError(f"no audio arrived on standard input: {COMMAND}")
        if held:
            log.warning("standard input ended in the middle of a sample: is it 16 kHz mono int16?")

    def stop(self) -> None:
        self._stopping = True
        os.write(self._stop, b".")

    def _blocks(self) -> Iterator[bytes]:
        """Yield the input in blocks until it ends. `stop` also interrupts the wait for a block."""
        while self._wait():
            try:
                data = os.read(self._descriptor, BLOCK_BYTES)
            except OSError as error:
                raise AudioError(f"cannot read standard input: {error.strerror}; {COMMAND}") from error
            if not data:
                self._ended = not self._stopping
                return
            yield data

    def _wait(self) -> bool:
        """Wait for input. Returns False after `stop`. On Windows `stop` takes effect with the next input."""
        if sys.platform == "win32":
            return not self._stopping
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._stopped, select.POLLIN)
        return self._stopped not in dict(poll.poll())


def header_size(head: bytes, ended: bool = False) -> int | None:
    """Bytes of the WAV header at the head of a stream; 0 for raw audio, None if the head is too short.

    ended: the stream has no more bytes. Raises UsageError if it is a WAV in a format other than 16 kHz
    mono int16, or another kind of audio file.
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
                raise UsageError(
                    f"standard input is a WAV of {what}; kwsd expects 16 kHz mono int16: {COMMAND}"
                )
        at += 8 + size + size % 2
    return None if not ended else len(head) if head.startswith(b"RIFF") else 0


class FormatCheck:
    """Warns once if raw audio, which has no header, sounds like samples in another format."""

    def __init__(self) -> None:
        self._parts: list[npt.NDArray[np.int16]] = []
        self._length = 0  # samples in them

    def push(self, samples: npt.NDArray[np.int16]) -> None:
        """Add samples, shape (n,), and check them once there are enough."""
        if self._length >= CHECKED_SAMPLES or not samples.any():
            return
        self._parts.append(samples)
        self._length += len(samples)
        if self._length >= CHECKED_SAMPLES:
            if found := other_format(np.concatenate(self._parts)):
                log.warning(
                    "standard input sounds like %s; kwsd expects 16 kHz mono int16: %s", found, COMMAND
                )
            self._parts = []


def other_format(samples: npt.NDArray[np.int16]) -> str | None:
    """The format that these samples, shape (n,), probably have; None if they may really be mono int16.

    Audio read in a wrong format sounds like noise: consecutive samples are unrelated.
    """
    if samples.std() > MIN_WRONG_DEVIATION and roughness(samples) > MIN_NOISE_ROUGHNESS:
        pairs = samples[: len(samples) // 2 * 2]
        for what, other in (
            ("32-bit floats", pairs.view("<f4")),
            ("32-bit samples", pairs.view("<i4")),
            ("big-endian samples", samples.view(">i2")),
        ):
            if roughness(other) < MAX_VOICE_ROUGHNESS:
                return what
    return "two channels" if is_stereo(samples) else None


def roughness(samples: npt.NDArray[Any]) -> float:
    """Power of the differences between consecutive samples over the samples' power; 2 for white noise."""
    with np.errstate(invalid="ignore"):
        values = samples.astype(np.float64)
    if not np.isfinite(values).all() or np.abs(values).max() > MAX_MAGNITUDE[samples.dtype.kind]:
        return math.inf
    power = np.square(values - values.mean()).mean()
    return float(np.square(np.diff(values)).mean() / power) if power else math.inf


def is_stereo(samples: npt.NDArray[np.int16]) -> bool:
    """Whether samples, shape (n,), are probably two interleaved channels.

    In one channel, the differences from even to odd samples are as large as those from odd to even ones, and
    smaller than those between every other sample.
    """
    left, right = samples[: len(samples) // 2 * 2].astype(np.float64).reshape(-1, 2).T
    within, across = np.square(right - left).mean(), np.square(left[1:] - right[:-1]).mean()
    alike = (np.square(np.diff(left)).mean() + np.square(np.diff(right)).mean()) / 2
    return bool(not 0.5 <= (within + 1) / (across + 1) <= 2 or alike + 1 < 0.25 * min(within, across))
