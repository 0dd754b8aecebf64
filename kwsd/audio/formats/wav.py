"""WAV headers: what they say, and how much audio there is in truth."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from kwsd.audio.formats.part import Part

PCM, FLOAT, ALAW, ULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # format tags
SIMPLE = (PCM, FLOAT, ALAW, ULAW)  # of which the data alone say how much there is
UNSAID = 0xFFFFFFFF  # an RF64's lengths of 32 bits
FORM_LIMIT = 1 << 12  # bytes of a format chunk, at most
USUAL = (b"LIST", b"id3 ", b"ID3 ", b"bext", b"fact", b"cue ", b"smpl", b"JUNK", b"PAD ", b"PEAK", b"iXML")
TRAILERS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")  # how tags of other formats begin, behind some WAVs
SCRAPS = 4096  # bytes behind the data that may be anything


@dataclass(frozen=True)
class Form:
    """What a WAV's format chunk says. tag: PCM, FLOAT or another codec, also where it is extensible."""

    tag: int
    channels: int
    rate: int  # Hz
    byte_rate: int  # bytes a second
    bits: int  # of a sample


def parse_form(chunk: bytes) -> Form:
    """chunk: the body of a WAV's "fmt " chunk, 16 bytes at least."""
    tag, channels, rate, byte_rate, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    return Form(tag, channels, rate, byte_rate, bits)


def is_unknown(length: int) -> bool:
    """Whether it is no length of data but what stands there where its writer could not know the end.

    Writers take the largest number there is, signed or not, some less a header (ffmpeg, SoX, arecord).
    """
    return length >= 0xFFFFF000 or 0x7FFF0000 <= length <= 0x80000100


def wav_parts(file: BinaryIO, size: int) -> list[Part]:
    """The WAVs in a file of `size` bytes, one behind the other, each with all the audio that is there.

    A length of the audio that is 0, too small, or modulo 2^32 as beyond 4 GiB, is corrected.
    """
    parts, start = [], 0
    while start < size:
        part, start = _wav(file, size, start)
        parts.append(part)
    return parts


def _wav(file: BinaryIO, size: int, start: int) -> tuple[Part, int]:
    """The WAV (or RF64) that begins at `start`, and where the next one does; `size` where none does."""
    at, chunk, form, long = start + 12, b"", None, None
    while True:
        tag, length = _chunk(file, at)
        if tag == b"data":
            break
        if not tag:
            return Part(start, size), size  # there is no audio: libsndfile says so
        if tag == b"ds64" and length >= 16:  # an RF64's length, behind that of the file
            file.seek(at + 16)
            long = int.from_bytes(file.read(8), "little")
        if tag == b"fmt " and 16 <= length <= FORM_LIMIT:
            file.seek(at + 8)
            chunk = file.read(length)
            form = parse_form(chunk) if len(chunk) >= 16 else None
        at = _after(file, at, length)
    data, there = at + 8, size - at - 8
    if long is not None and length == UNSAID:
        length = long
    if form is None or not form.byte_rate:
        return Part(start, size), size
    claimed, found = length / form.byte_rate, there / form.byte_rate  # seconds
    if length > there:
        seconds = None if is_unknown(length) and long is None else claimed
        if form.tag in SIMPLE:
            return Part(data, size, _header(chunk, there), seconds=seconds), size
        return Part(start, size, seconds=seconds), size
    end = _end(file, data, length, size)
    if end is None:
        said = f"its header says {claimed:,.1f} s and {found:,.1f} s are there: all is heard"
        return Part(data, size, _header(chunk, there), remark=said if length else ""), size
    if form.tag in SIMPLE:
        return Part(data, data + length, _header(chunk, length)), end
    return Part(start, end), end


def _chunk(file: BinaryIO, at: int) -> tuple[bytes, int]:
    """Tag and length of the chunk at this place; no tag at the file's end."""
    file.seek(at)
    head = file.read(8)
    return struct.unpack("<4sI", head) if len(head) == 8 else (b"", 0)


def _after(file: BinaryIO, at: int, length: int) -> int:
    """Where the chunk after one of this length begins: behind a byte more if it is odd, which some forget."""
    following = at + 8 + length
    if length % 2 and not (_named(file, following) and not _named(file, following + 1)):
        return following + 1
    return following


def _named(file: BinaryIO, at: int) -> bool:
    tag, _ = _chunk(file, at)
    return len(tag) == 4 and tag.isascii() and tag.decode().isprintable()


def _end(file: BinaryIO, data: int, length: int, size: int) -> int | None:
    """Where the WAV ends whose data are at this place: the file's end, or where another WAV begins.

    None where the audio goes on behind its data: what is there is no chunk, nor a tag, nor a scrap.
    """
    first = at = _after(file, data - 8, length)
    while at + 8 <= size:
        tag, length_here = _chunk(file, at)
        if tag == b"RIFF":
            return at
        whole = _named(file, at) and (tag in USUAL or at + 8 + length_here <= size)
        if not whole:
            break
        at = _after(file, at, length_here)
    file.seek(at)
    known = at != first or file.read(8).startswith(TRAILERS) or (size - at < SCRAPS and length)
    return size if known or at >= size else None


def _header(form: bytes, length: int) -> bytes:
    """A WAV's header up to its data, of so many bytes: an RF64 where a WAV cannot say that many."""
    formed = b"fmt " + struct.pack("<I", len(form)) + form + b"\0" * (len(form) % 2)
    if length < 0xFFFF0000:
        riff = b"RIFF" + struct.pack("<I", 4 + len(formed) + 8 + length) + b"WAVE"
        return riff + formed + b"data" + struct.pack("<I", length)
    sizes = b"ds64" + struct.pack("<IQQQI", 28, length + len(formed) + 48, length, 0, 0)
    unsaid = struct.pack("<I", UNSAID)
    return b"RF64" + unsaid + b"WAVE" + sizes + formed + b"data" + unsaid
