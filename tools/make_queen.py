"""Write the spoken lines of "Flight of the Amazon Queen" (Debian's package of that name) as FLAC files.

    python tools/make_queen.py /usr/share/scummvm/flight-of-the-amazon-queen/queen.1c data/queen

Its talkie file begins with a table of names, offsets and sizes. The files follow; names that end in .SB
are MP3. A line that is there several times is written once.
"""

import io
import struct
import sys
from pathlib import Path

import soundfile

ENTRIES = 15  # offset of the table; the number of its entries is the two bytes before it
NAME, ENTRY = 12, 21  # bytes


def lines(talkie: bytes) -> dict[str, bytes]:
    """The MP3 of every spoken line, by its name."""
    (count,) = struct.unpack_from(">H", talkie, ENTRIES - 2)
    found = {}
    for start in range(ENTRIES, ENTRIES + count * ENTRY, ENTRY):
        name = talkie[start : start + NAME].rstrip(b"\0").decode()
        offset, size = struct.unpack_from(">II", talkie, start + NAME + 1)
        if name.endswith(".SB"):
            found[name.removesuffix(".SB")] = talkie[offset : offset + size]
    return found


def main(talkie: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    once = {mp3: name for name, mp3 in reversed(lines(talkie.read_bytes()).items())}  # under its first name
    written = 0
    for mp3, name in once.items():
        try:
            samples, rate = soundfile.read(io.BytesIO(mp3), dtype="int16")
        except soundfile.SoundFileError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        soundfile.write(out / f"{name}.flac", samples, rate)
        written += 1
    print(f"{written} lines in {out}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
