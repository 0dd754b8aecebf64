"""Audio from standard input: raw 16 kHz mono int16 little-endian, as ``arecord -t raw`` gives it."""

import logging
import os
import select
import struct
import sys
from collections.abc import Iterator
from typing import Self

import numpy as np

from kwsd.audio.source import Recorded
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_float32

COMMAND = "arecord -t raw -f S16_LE -r 16000 -c 1 | kwsd listen --input -"
BLOCK = 1 << 14  # bytes read at a time: half a second
ENCODED = (b"fLaC", b"OggS", b"ID3", b"RF64", b"FORM")  # how files begin that are no raw audio

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

    def __iter__(self) -> Iterator[Samples]:
        """Raises UsageError for a header that tells of other audio, AudioError where nothing comes."""
        held = b""
        begun = False
        heard = 0
        for data in self._blocks():
            held += data
            if not begun:
                header = header_size(held)
                if header is None:
                    continue
                held = held[header:]
                begun = True
            whole = len(held) // 2 * 2
            yield to_float32(np.frombuffer(held[:whole], "<i2"))
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
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._stopped, select.POLLIN)
        while self._stopped not in dict(poll.poll()):
            try:
                data = os.read(self._descriptor, BLOCK)
            except OSError as error:
                raise AudioError(f"cannot read standard input: {error.strerror}; {COMMAND}") from error
            if not data:
                self._ended = not self._stopping
                return
            yield data


def header_size(head: bytes) -> int | None:
    """Bytes of WAV header at this head of a stream: 0 for raw audio, None if it is too short to tell.

    Raises UsageError where the WAV is not 16 kHz mono int16, or it is a file of another kind.
    """
    if head.startswith(ENCODED):
        raise UsageError("standard input is an audio file, not raw audio: kwsd listen --input FILE")
    if not b"RIFF".startswith(head[:4]) or (len(head) >= 12 and head[8:12] != b"WAVE"):
        return 0
    at = 12
    while len(head) >= at + 8:
        tag, size = struct.unpack_from("<4sI", head, at)
        if tag == b"data":
            return at + 8
        if tag == b"fmt " and len(head) >= at + 24:
            _, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head, at + 8)
            if (rate, channels, bits) != (SAMPLE_RATE, 1, 16):
                raise UsageError(
                    f"standard input is a WAV of {rate} Hz, {channels} channels, {bits} bits; "
                    f"16 kHz mono int16 is needed: {COMMAND}"
                )
        at += 8 + size + size % 2
    return None
