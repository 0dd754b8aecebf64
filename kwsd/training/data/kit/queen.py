"""The spoken lines in the talkie file (queen.1c) of the game "Flight of the Amazon Queen".

The file begins with a table of names, offsets and sizes. The files follow; names that end in .SB are MP3.
"""

import struct

_ENTRIES = 15  # offset of the table; the number of its entries is the two bytes before it
_NAME, _ENTRY = 12, 21  # bytes


def lines(talkie: bytes) -> dict[str, bytes]:
    """The MP3 of every spoken line, by its name. A line that is there several times has its first name."""
    (count,) = struct.unpack_from(">H", talkie, _ENTRIES - 2)
    once: dict[bytes, str] = {}
    for start in range(_ENTRIES, _ENTRIES + count * _ENTRY, _ENTRY):
        name = talkie[start : start + _NAME].rstrip(b"\0").decode()
        offset, size = struct.unpack_from(">II", talkie, start + _NAME + 1)
        if name.endswith(".SB"):
            once.setdefault(talkie[offset : offset + size], name.removesuffix(".SB"))
    return {name: mp3 for mp3, name in once.items()}
