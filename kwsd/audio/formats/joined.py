"""Splits an audio file into its streams, so that libsndfile reads all of them.

libsndfile reads only one stream per file, and trusts its header. But joined files (`cat a.ogg b.ogg`, radio
recordings) contain several streams, and the headers of WAV and MP3 files are wrong if their writer was killed
or wrote to a pipe. So libsndfile gets each stream as a separate file with a correct header.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from kwsd.audio.formats.mp3 import first_frame, mp3_parts
from kwsd.audio.formats.part import Part
from kwsd.audio.formats.sized import TRUNCATED, flac_part, sized_parts
from kwsd.audio.formats.wav import wav_parts

BLOCK_BYTES = 1 << 20  # searched at a time
# magic number and header of the first metadata block
FLAC = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")
MAX_OGG_PAGE = 1 << 16  # bytes
OGG_START = b"OggS\x00\x02" + bytes(8)  # the head of the first page of a stream


def parts_of(file: BinaryIO) -> list[Part]:
    """The streams of a file in order. A file of a kind that cannot be joined is a single part."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return wav_parts(file, size)
    if head[:4] == b"OggS":
        *whole, last = _split(_ogg_streams(file), size)
        return [*whole, replace(last, remark=_ogg_remark(file, size))]
    if head[:4] == b"fLaC":
        streams = _split((at for at, found in find(file, b"fLaC", 8) if found in FLAC), size)
        return [flac_part(file, stream) for stream in streams]
    if first_frame(file, size) is not None:
        return mp3_parts(file, size)
    return sized_parts(file, size)


def _ogg_streams(file: BinaryIO) -> Iterator[int]:
    """Offsets where Ogg streams start. Multiplexed streams, whose first pages are adjacent, count as one."""
    last = None
    for at, page in find(file, OGG_START, 27 + 255):
        segments = page[26] if len(page) > 26 else 0
        if at != last:
            yield at
        last = at + 27 + segments + sum(page[27 : 27 + segments])


def _ogg_remark(file: BinaryIO, size: int) -> str:
    """The remark if the file ends in the middle of a page, else empty."""
    start = max(0, size - MAX_OGG_PAGE)
    file.seek(start)
    tail = file.read(MAX_OGG_PAGE)
    at = tail.rfind(b"OggS")
    page = tail[at:]
    length = 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 26 else MAX_OGG_PAGE
    return TRUNCATED if at >= 0 and len(page) < length else ""


def _split(starts: Iterable[int], size: int) -> list[Part]:
    """Split the file at these offsets. Bytes before the first one belong to the first part."""
    places = [0, *(at for at in starts if at), size]
    return [Part(start, stop) for start, stop in itertools.pairwise(places)]


def find(file: BinaryIO, tag: bytes, length: int) -> Iterator[tuple[int, bytes]]:
    """Each offset of `tag` in a file, with the `length` bytes from there on (fewer at its end)."""
    at, held = 0, b""  # held: bytes of the file from offset `at` on
    while True:
        file.seek(at + len(held))
        more = file.read(BLOCK_BYTES)
        held += more
        # a tag that starts before `reach` is followed by `length` bytes
        reach = max(0, len(held) - length + 1) if more else len(held)
        place = held.find(tag)
        while 0 <= place < reach:
            yield at + place, held[place : place + length]
            place = held.find(tag, place + 1)
        if not more:
            return
        at, held = at + reach, held[reach:]
