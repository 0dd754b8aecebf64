"""Splits the speakers of a folder by links: OUT_train has 60 % of them, OUT_choice the others.

    python tools/split_speakers.py data/read_speech/librispeech data/libri
    python tools/split_speakers.py data/read_speech/speechocean762 data/ocean --without jarvis alexa ...

The speaker is the part of a file's name before the first "-" or "_". --without: recordings that say a word
which begins with one of these, as the folder's texts.tsv has it, are left out.
"""

import argparse
import re
from pathlib import Path

from kwsd.training.data.speech_commands import files_of, percentage

TRAINING_PERCENT = 60


def main() -> None:
    """Parse the options and make the links."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out")
    parser.add_argument("--without", nargs="+", default=[])
    given = parser.parse_args()
    texts = given.folder / "texts.tsv"
    lines = texts.read_text("utf-8").splitlines() if texts.exists() else []
    said = dict(line.lower().split("\t") for line in lines)
    for path in files_of(given.folder):
        if any(word.startswith(tuple(given.without)) for word in said.get(path.stem.lower(), "").split()):
            continue
        speaker = re.split("[-_]", path.stem)[0]
        side = "train" if percentage("h24" + speaker) < TRAINING_PERCENT else "choice"
        link = Path(f"{given.out}_{side}", path.name)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.absolute())


if __name__ == "__main__":
    main()
