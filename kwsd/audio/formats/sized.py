"""Formats whose header contains their length: AIFF, AU, CAF, W64, big-endian WAV and FLAC.

libsndfile trusts the header. If the file is longer or shorter, a remark says so; joined files are split.
"""

import struct
from typing import BinaryIO

from kwsd.audio.formats.part import MAX_TRAILER, Part

UNKNOWN_LENGTHS = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # written instead of an unknown length
W64_UNKNOWN = 1 << 62  # the same in a W64, or any larger number
TRUNCATED = "it is truncated; kwsd reads what is left of it"
W64_RIFF = b"riff\x2e\x91\xcf\x11"
W64_DATA = b"data\xf3\xac\xd3\x11"
W64_CHUNK_HEAD = 24  # bytes of the GUID and length of a chunk
HEADER_BYTES = 1 << 16  # the audio of these files starts within so many bytes
FLAC_HEAD = 42  # bytes of the magic number and the first metadata block of a FLAC
FLAC_FRAMES = slice(21, 26)  # of them, with the number of frames in the last 36 bits
CAF_EDIT_COUNT = 4  # bytes of the data chunk of a CAF before its audio


def sized_parts(file: BinaryIO, size: int) -> list[Part]:
    """The files that were joined into this file of `size` bytes; one if it was not joined."""
    parts = []
    start = 0
    while True:
        file.seek(start)
        head = file.read(20)
        end = _end(file, head, start)
        if end is not None and start < end < size and _starts_alike(file, head, end):
            parts.append(Part(start, end))
            start = end
            continue
        header = _header(file, start, size)
        remark = ""
        if end is not None and end > size + 1:  # the padding of the last chunk may be missing
            remark = TRUNCATED
        elif end is not None and end < size - MAX_TRAILER and not header:
            remark = f"it has {size - end:,} bytes more than its header says, which are not read"
        return [*parts, Part(start + len(header), size, header, remark=remark)]


def flac_part(file: BinaryIO, part: Part) -> Part:
    """A FLAC with a header without a length, because libsndfile would not read beyond that."""
    file.seek(part.start)
    head = bytearray(file.read(FLAC_HEAD))
    if len(head) < FLAC_HEAD or head[:4] != b"fLaC":
        return part
    rate = int.from_bytes(head[18:21], "big") >> 4
    frames = int.from_bytes(head[FLAC_FRAMES], "big") & (1 << 36) - 1
    if not rate or not frames:
        return part
    head[FLAC_FRAMES] = bytes([head[21] & 0xF0]) + bytes(4)
    return Part(part.start + FLAC_HEAD, part.stop, bytes(head), seconds=frames / rate, remark=part.remark)


def _end(file: BinaryIO, head: bytes, start: int) -> int | None:
    """Offset where the file that starts with `head` ends according to its header; None if that is unknown."""
    if len(head) < 20:
        return None
    if (head[:4], head[8:12]) in ((b"FORM", b"AIFF"), (b"FORM", b"AIFC"), (b"RIFX", b"WAVE")):
        (length,) = struct.unpack_from(">I", head, 4)
        return None if length in UNKNOWN_LENGTHS else int(start + 8 + length + length % 2)
    if head[:4] == b".snd":
        begin, length = struct.unpack_from(">II", head, 4)
        return None if length in UNKNOWN_LENGTHS else int(start + begin + length)
    if head[:8] == W64_RIFF:
        file.seek(start + 16)
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        return start + length if 0 < length < W64_UNKNOWN else None
    if head[:4] == b"caff":
        return _caf_end(file, start + 8)
    return None


def _caf_end(file: BinaryIO, at: int) -> int | None:
    """Offset where the chunks end, of which the first is at offset `at`; None if that is unknown."""
    while True:
        file.seek(at)
        chunk = file.read(12)
        if len(chunk) < 12 or not chunk[:4].isascii() or chunk[:4] == b"caff":
            return at
        tag, length = struct.unpack(">4sq", chunk)
        reaches_file_end = length < 0 or (tag == b"data" and length <= CAF_EDIT_COUNT)
        if reaches_file_end:
            return None
        at += 12 + length


def _starts_alike(file: BinaryIO, head: bytes, at: int) -> bool:
    file.seek(at)
    return file.read(4) == head[:4]


def _header(file: BinaryIO, start: int, size: int) -> bytes:
    """The corrected header of a W64, RIFX or CAF whose length is unknown or too large.

    Empty if the header is correct, and for other files.
    """
    file.seek(start)
    head = bytearray(file.read(min(HEADER_BYTES, size - start)))
    if head.startswith(W64_RIFF):
        at = head.find(W64_DATA)
        body = at + W64_CHUNK_HEAD
        if at >= 0 and body <= len(head) and struct.unpack_from("<Q", head, at + 16)[0] >= W64_UNKNOWN:
            struct.pack_into("<Q", head, 16, size - start)
            struct.pack_into("<Q", head, at + 16, size - start - at)
            return bytes(head[:body])
    if head.startswith(b"RIFX"):
        at = head.find(b"data")
        body = at + 8
        if at >= 0 and body <= len(head) and struct.unpack_from(">I", head, at + 4)[0] in UNKNOWN_LENGTHS:
            struct.pack_into(">I", head, 4, size - start - 8)
            struct.pack_into(">I", head, at + 4, size - start - body)
            return bytes(head[:body])
    if head.startswith(b"caff"):
        at = head.find(b"data")
        body = at + 12
        if at >= 0 and body <= len(head):
            (length,) = struct.unpack_from(">q", head, at + 4)
            if 0 <= length <= CAF_EDIT_COUNT or length > size - start - body:
                struct.pack_into(">q", head, at + 4, size - start - body)
                return bytes(head[:body])
    return b""
