"""Files whose header says where they end: AIFF, AU, CAF, W64, big-endian WAV; and FLACs, how long they are.

libsndfile believes the header. Where more is there, or less, a line says so; joined files are cut apart.
"""

import struct
from typing import BinaryIO

from kwsd.audio.formats.part import Part

SCRAPS = 4096  # bytes behind a file's end that may be anything
ENDLESS = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # what a writer puts in the place of a length that it does not know
UNKNOWN = 1 << 62  # or more, in a W64
CUT_OFF = "it is cut off; what is there is heard"
W64_RIFF = b"riff\x2e\x91\xcf\x11"
W64_DATA = b"data\xf3\xac\xd3\x11"
W64_HEAD = 24  # bytes of a chunk's GUID and length
HEADER = 1 << 16  # bytes in which a W64's audio begins
INFO = 42  # bytes of a FLAC's name and first block, which ends with a checksum
CAF_EDITS = 4  # bytes of a CAF's data chunk before its audio
FRAMES = slice(21, 26)  # where the block says how many frames there are, in 36 bits


def sized_parts(file: BinaryIO, size: int) -> list[Part]:
    """The files in one of `size` bytes, one after the other: one, unless they were joined."""
    parts = []
    start = 0
    while True:
        file.seek(start)
        head = file.read(20)
        end = _end(file, head, start)
        if end is not None and start < end < size and _begins_alike(file, head, end):
            parts.append(Part(start, end))
            start = end
            continue
        header = _header(file, start, size)
        remark = ""
        if end is not None and end > size + 1:  # the last chunk may lack its padding
            remark = CUT_OFF
        elif end is not None and end < size - SCRAPS and not header:
            remark = f"{size - end:,} bytes behind the end that its header gives are not heard"
        return [*parts, Part(start + len(header), size, header, remark=remark)]


def flac_part(file: BinaryIO, part: Part) -> Part:
    """A FLAC under a header that gives no length: libsndfile would not read beyond it."""
    file.seek(part.start)
    head = bytearray(file.read(INFO))
    if len(head) < INFO or head[:4] != b"fLaC":
        return part
    rate = int.from_bytes(head[18:21], "big") >> 4
    frames = int.from_bytes(head[FRAMES], "big") & (1 << 36) - 1
    if not rate or not frames:
        return part
    head[FRAMES] = bytes([head[21] & 0xF0]) + bytes(4)
    return Part(part.start + INFO, part.stop, bytes(head), seconds=frames / rate, remark=part.remark)


def _end(file: BinaryIO, head: bytes, start: int) -> int | None:
    """Where the file that begins with `head` ends, as that says; None where it does not."""
    if len(head) < 20:
        return None
    if (head[:4], head[8:12]) in ((b"FORM", b"AIFF"), (b"FORM", b"AIFC"), (b"RIFX", b"WAVE")):
        (length,) = struct.unpack_from(">I", head, 4)
        return None if length in ENDLESS else int(start + 8 + length + length % 2)
    if head[:4] == b".snd":
        begin, length = struct.unpack_from(">II", head, 4)
        return None if length in ENDLESS else int(start + begin + length)
    if head[:8] == W64_RIFF:
        file.seek(start + 16)
        (length,) = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))
        return start + length if 0 < length < UNKNOWN else None
    if head[:4] == b"caff":
        return _caf_end(file, start + 8)
    return None


def _caf_end(file: BinaryIO, at: int) -> int | None:
    """Where the chunks end of which the first is at this place."""
    while True:
        file.seek(at)
        chunk = file.read(12)
        if len(chunk) < 12 or not chunk[:4].isascii() or chunk[:4] == b"caff":
            return at
        tag, length = struct.unpack(">4sq", chunk)
        if length < 0 or (tag == b"data" and length <= CAF_EDITS):  # audio to the end of the file
            return None
        at += 12 + length


def _begins_alike(file: BinaryIO, head: bytes, at: int) -> bool:
    file.seek(at)
    return file.read(4) == head[:4]


def _header(file: BinaryIO, start: int, size: int) -> bytes:
    """The header that a W64, RIFX or CAF should have that gives no length, or one that is too large.

    Empty where the header is right, and for other files.
    """
    file.seek(start)
    head = bytearray(file.read(min(HEADER, size - start)))
    if head.startswith(W64_RIFF):
        at = head.find(W64_DATA)
        body = at + W64_HEAD
        if at >= 0 and body <= len(head) and struct.unpack_from("<Q", head, at + 16)[0] >= UNKNOWN:
            struct.pack_into("<Q", head, 16, size - start)
            struct.pack_into("<Q", head, at + 16, size - start - at)
            return bytes(head[:body])
    if head.startswith(b"RIFX"):
        at = head.find(b"data")
        body = at + 8
        if at >= 0 and body <= len(head) and struct.unpack_from(">I", head, at + 4)[0] in ENDLESS:
            struct.pack_into(">I", head, 4, size - start - 8)
            struct.pack_into(">I", head, at + 4, size - start - body)
            return bytes(head[:body])
    if head.startswith(b"caff"):
        at = head.find(b"data")
        body = at + 12
        if at >= 0 and body <= len(head):
            (length,) = struct.unpack_from(">q", head, at + 4)
            if 0 <= length <= CAF_EDITS or length > size - start - body:
                struct.pack_into(">q", head, at + 4, size - start - body)
                return bytes(head[:body])
    return b""
