"""Trains a small model with a second stage from Python, as `kwsd train --student --embedding` does.

It needs kwsd[train,synth], a Speech Commands tree (or a folder of your own words in the same layout) and a
folder of speech without the keyword. It prints the path of the model when it is done, and nothing before.

python examples/train_verified.py speech_commands_v0.01 sheila folder_of_speech sheila.pt
"""

import sys
from pathlib import Path

from kwsd.runtime.model import STUDENT
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.release.release import Output
from kwsd.training.workflows.from_recordings import train
from kwsd.training.workflows.run import Sources

RECIPE = Recipe(STUDENT, epochs=60, teaching=Teaching())


def main(data: str, keyword: str, speech: str, out: str, recipe: Recipe = RECIPE) -> Path:
    """Train a model for a word of the Speech Commands tree `data`. Returns the path of the model file.

    speech: folder of running speech without the keyword, on which the threshold is chosen.
    """
    return train(keyword, Path(data), recipe, Output(Path(out)), Sources(speech=(Path(speech),)))


if __name__ == "__main__":
    print(main(*sys.argv[1:5]))
