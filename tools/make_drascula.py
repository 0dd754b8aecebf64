"""Write the spoken lines of "Drascula: The Vampire Strikes Back" (Debian's `drascula`) as FLAC files.

    python tools/make_drascula.py /usr/share/scummvm/drascula/en data/drascula

Each `.ALS` file is unsigned 8-bit samples at 11,025 Hz; files named S and a number are sounds, not speech.
"""

import re
import sys
from pathlib import Path

import numpy as np
import soundfile

RATE = 11_025


def main(game: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    lines = [file for file in sorted(game.glob("*.ALS")) if not re.fullmatch(r"S\d+", file.stem)]
    for file in lines:
        samples = np.frombuffer(file.read_bytes(), np.uint8).astype(np.int16)
        soundfile.write(out / f"{file.stem}.flac", (samples - 128) << 8, RATE)
    print(f"{len(lines)} lines in {out}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
