"""Draws docs/score.png: ten clips without the keyword and two with it, joined.

Each is the first clip of its word by a dev-test speaker, on whom no model was trained.

KWSD_DATA=DIR python tools/make_score.py [MODEL]
"""

import os
import subprocess
import sys
from pathlib import Path

from kwsd.training.data.speech_commands import read_tree

WORDS = ("bed", "cat", "down", "eight", "five", "happy", "go", "left", "one", "right", "up", "happy")


def main(model: str) -> None:
    tree = read_tree(Path(os.environ["KWSD_DATA"]) / "speech_commands_v0.01", "happy")
    unseen = {
        word: iter([c.path for c in tree if c.split == "dev-test" and c.word == word]) for word in WORDS
    }
    clips = [str(next(unseen[word])) for word in WORDS]
    picture = Path(__file__).parents[1] / "docs" / "score.png"
    options = [
        "--model",
        model,
        "--window",
        "20",
        "--step",
        "8",
        "--beside",
        "8",
        "5",
        "--plot",
        str(picture),
    ]
    subprocess.run(["kwsd", "score", *clips, *options], check=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "happy")
