"""The streams in an audio file: libsndfile reads one of them, and believes what its header says.

Files that were joined (`cat a.ogg b.ogg`, what is recorded of a radio) hold several, and the headers of WAV
and MP3 are wrong where their writer was ended or wrote to a pipe. So libsndfile is given each stream as a
file of its own, under a header that is right.
"""

import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import BinaryIO

from kwsd.audio.formats.mp3 import first_frame, mp3_parts
from kwsd.audio.formats.part import Part
from kwsd.audio.formats.sized import CUT_OFF, flac_part, sized_parts
from kwsd.audio.formats.wav import wav_parts

BLOCK = 1 << 20  # bytes searched at a time
FLAC = (b"fLaC\x00\x00\x00\x22", b"fLaC\x80\x00\x00\x22")  # its name and the header of its first block
OGG_PAGE = 1 << 16  # bytes, at most
OGG = b"OggS\x00\x02" + bytes(8)  # a page that begins a stream, at its time 0


def parts_of(file: BinaryIO) -> list[Part]:
    """The streams in a file, one after the other; the file as it is where its kind is not joined."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE":
        return wav_parts(file, size)
    if head[:4] == b"OggS":
        *whole, last = _cut(_ogg_streams(file), size)
        return [*whole, replace(last, remark=_ogg_remark(file, size))]
    if head[:4] == b"fLaC":
        streams = _cut((at for at, found in find(file, b"fLaC", 8) if found in FLAC), size)
        return [flac_part(file, stream) for stream in streams]
    if first_frame(file, size) is not None:
        return mp3_parts(file, size)
    return sized_parts(file, size)


def _ogg_streams(file: BinaryIO) -> Iterator[int]:
    """Where Ogg streams begin. Those side by side, as in a film, have first pages in a row and are one."""
    last = None
    for at, page in find(file, OGG, 27 + 255):
        segments = page[26] if len(page) > 26 else 0
        if at != last:
            yield at
        last = at + 27 + segments + sum(page[27 : 27 + segments])


def _ogg_remark(file: BinaryIO, size: int) -> str:
    """What is to be said where the file ends within a page."""
    start = max(0, size - OGG_PAGE)
    file.seek(start)
    tail = file.read(OGG_PAGE)
    at = tail.rfind(b"OggS")
    page = tail[at:]
    length = 27 + page[26] + sum(page[27 : 27 + page[26]]) if len(page) > 26 else OGG_PAGE
    return CUT_OFF if at >= 0 and len(page) < length else ""


def _cut(begins: Iterable[int], size: int) -> list[Part]:
    """The file cut at these places; what is before the first belongs to it."""
    places = [0, *(at for at in begins if at), size]
    return [Part(start, stop) for start, stop in itertools.pairwise(places)]


def find(file: BinaryIO, tag: bytes, length: int) -> Iterator[tuple[int, bytes]]:
    """Every place of `tag` in a file, with the `length` bytes from there on (fewer at the file's end)."""
    at, held = 0, b""  # held: the bytes of the file from `at` on
    while True:
        file.seek(at + len(held))
        more = file.read(BLOCK)
        held += more
        reach = max(0, len(held) - length + 1) if more else len(held)  # what is found before it is whole
        place = held.find(tag)
        while 0 <= place < reach:
            yield at + place, held[place : place + length]
            place = held.find(tag, place + 1)
        if not more:
            return
        at, held = at + reach, held[reach:]
