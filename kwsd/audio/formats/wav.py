"""Parses WAV headers, and finds how much audio a WAV file really contains."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from kwsd.audio.formats.part import MAX_TRAILER, Part

PCM, FLOAT, ALAW, ULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # format tags
FIXED_SIZE = (PCM, FLOAT, ALAW, ULAW)  # whose samples all take the same number of bytes
IN_DS64 = 0xFFFFFFFF  # length in an RF64 whose real value is in the chunk ds64
MAX_FORM_BYTES = 1 << 12  # of a format chunk
# chunks that may follow the audio
CHUNKS = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"fact", b"cue ", b"smpl", b"JUNK", b"PAD ", b"PEAK", b"iXML")
TRAILERS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")  # first bytes of tags that follow the audio of some WAVs


@dataclass(frozen=True)
class Form:
    """The content of a format chunk. tag: PCM, FLOAT or another codec, also if the chunk is EXTENSIBLE."""

    tag: int
    channels: int
    rate: int  # Hz
    byte_rate: int  # bytes per second
    bits: int  # per sample


def parse_form(chunk: bytes) -> Form:
    """Parse the body of a "fmt " chunk, which has at least 16 bytes."""
    tag, channels, rate, byte_rate, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    return Form(tag, channels, rate, byte_rate, bits)


def is_unknown(length: int) -> bool:
    """Whether this length of data means that its writer did not know it.

    Writers such as ffmpeg, SoX and arecord then use about the largest signed or unsigned number.
    """
    return length >= 0xFFFFF000 or 0x7FFF0000 <= length <= 0x80000100


def wav_parts(file: BinaryIO, size: int) -> list[Part]:
    """The WAVs in a file of `size` bytes, each with all audio that it contains.

    A wrong length in the header is corrected: 0, too small, or modulo 2^32 for files above 4 GiB.
    """
    parts, start = [], 0
    while start < size:
        part, start = _wav(file, size, start)
        parts.append(part)
    return parts


def _wav(file: BinaryIO, size: int, start: int) -> tuple[Part, int]:
    """The WAV or RF64 at offset `start`, and the offset of the next one, which is `size` if there is none."""
    at, chunk, form, long = start + 12, b"", None, None
    while True:
        tag, length = _chunk(file, at)
        if tag == b"data":
            break
        if not tag:
            return Part(start, size), size  # no audio, which libsndfile reports
        if tag == b"ds64" and length >= 16:  # of an RF64; the length of the audio follows that of the file
            file.seek(at + 16)
            long = int.from_bytes(file.read(8), "little")
        if tag == b"fmt " and 16 <= length <= MAX_FORM_BYTES:
            file.seek(at + 8)
            chunk = file.read(length)
            form = parse_form(chunk) if len(chunk) >= 16 else None
        at = _after(file, at, length)
    data, there = at + 8, size - at - 8
    if long is not None and length == IN_DS64:
        length = long
    if form is None or not form.byte_rate:
        return Part(start, size), size
    claimed, found = length / form.byte_rate, there / form.byte_rate  # seconds
    if length > there:
        seconds = None if is_unknown(length) and long is None else claimed
        if form.tag in FIXED_SIZE:
            return Part(data, size, _header(chunk, there), seconds=seconds), size
        return Part(start, size, seconds=seconds), size
    end = _end(file, data, length, size)
    if end is None:
        said = f"its header says {claimed:,.1f} s, but there are {found:,.1f} s, and all of it is read"
        return Part(data, size, _header(chunk, there), remark=said if length else ""), size
    if form.tag in FIXED_SIZE:
        return Part(data, data + length, _header(chunk, length)), end
    return Part(start, end), end


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    """Tag and length of the chunk at this offset; the tag is empty at the end of the file."""
    file.seek(at)
    head = file.read(8)
    return struct.unpack("<4sI", head) if len(head) == 8 else (b"", 0)


def _after(file: BinaryIO, at: int, length: int) -> int:
    """Offset of the next chunk. An odd length is padded with a byte, which some writers forget."""
    following = at + 8 + length
    if length % 2 and not (_has_tag(file, following) and not _has_tag(file, following + 1)):
        return following + 1
    return following


def _has_tag(file: BinaryIO, at: int) -> bool:
    """Whether a plausible chunk tag is at this offset."""
    tag, _ = _chunk(file, at)
    return len(tag) == 4 and tag.isascii() and tag.decode().isprintable()


def _end(file: BinaryIO, data: int, length: int, size: int) -> int | None:
    """Offset where the WAV with its audio at offset `data` ends: at the next WAV, or the end of the file.

    None if the audio continues beyond its length: what follows is neither a chunk, a tag nor a short trailer.
    """
    first = at = _after(file, data - 8, length)
    while at + 8 <= size:
        tag, length_here = _chunk(file, at)
        if tag == b"RIFF":
            return at
        whole = _has_tag(file, at) and (tag in CHUNKS or at + 8 + length_here <= size)
        if not whole:
            break
        at = _after(file, at, length_here)
    file.seek(at)
    known = at != first or file.read(8).startswith(TRAILERS) or (size - at < MAX_TRAILER and length)
    return size if known or at >= size else None


def _header(form: bytes, length: int) -> bytes:
    """A WAV header for `length` bytes of audio; an RF64 header if that is too many for a WAV."""
    formed = b"fmt " + struct.pack("<I", len(form)) + form + b"\0" * (len(form) % 2)
    if length < 0xFFFF0000:
        riff = b"RIFF" + struct.pack("<I", 4 + len(formed) + 8 + length) + b"WAVE"
        return riff + formed + b"data" + struct.pack("<I", length)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, length + len(formed) + 48, length, 0, 0)
    unsaid = struct.pack("<I", IN_DS64)
    return b"RF64" + unsaid + b"WAVE" + sizes + formed + b"data" + unsaid
