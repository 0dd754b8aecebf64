"""Write the spoken lines of "Flight of the Amazon Queen" (Debian's package of that name) as FLAC files.

    python tools/make_queen.py /usr/share/scummvm/flight-of-the-amazon-queen/queen.1c data/queen

Its talkie file is a table of names, places and sizes, then the files: MP3 where the name ends in .SB. Of
lines that are there several times, one is written.
"""

import io
import struct
import sys
from pathlib import Path

import soundfile

ENTRIES = 15  # where the table begins; before it, at 13, how many there are
NAME, ENTRY = 12, 21  # bytes


def lines(talkie: bytes) -> dict[str, bytes]:
    """The MP3 of every spoken line, by its name."""
    (count,) = struct.unpack_from(">H", talkie, ENTRIES - 2)
    found = {}
    for start in range(ENTRIES, ENTRIES + count * ENTRY, ENTRY):
        name = talkie[start : start + NAME].rstrip(b"\0").decode()
        place, size = struct.unpack_from(">II", talkie, start + NAME + 1)
        if name.endswith(".SB"):
            found[name.removesuffix(".SB")] = talkie[place : place + size]
    return found


def main(talkie: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    once = {mp3: name for name, mp3 in reversed(lines(talkie.read_bytes()).items())}  # by its first name
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
