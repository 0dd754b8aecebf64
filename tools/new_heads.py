"""Trains new heads for a model, whose first stage and settings stay as they are.

    python tools/new_heads.py alexa --work speech/alexa --data data/speech_commands_v0.01 \
        --noise data/esc10 ... --speech data/queen ... --out new.pt

For when the embedding of the package or the training of heads has changed. --work: the folder of `kwsd new`
or `kwsd synthesize`; without it, --data has recordings of the keyword. `kwsd tune` chooses the threshold
afterwards.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from kwsd.runtime.model import BASELINE
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.losses import HeadDistillationLoss
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.teacher import verifier_of
from kwsd.training.release.modelfile import save_model
from kwsd.training.release.release import Output
from kwsd.training.workflows.embedding_teacher import trainer_with_teacher
from kwsd.training.workflows.progress import SILENT


def main() -> None:
    """Parse the options and write the model."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--noise", type=Path, nargs="+", default=[])
    parser.add_argument("--speech", type=Path, nargs="+", default=[])
    parser.add_argument("--chunks", type=int, default=6, help="of a thousand examples each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    model = read_model(find_model(given.model))
    noise, speech_folders = tuple(given.noise), tuple(given.speech)
    if given.work:
        augmentation = Augmentation.for_synthetic_voices()
        recordings = Recordings.spoken(given.work, model.keyword, given.data, noise, speech_folders)
    else:
        augmentation = Augmentation()
        recordings = Recordings.read(given.data, model.keyword, noise, speech_folders)
    teaching = replace(Teaching.for_synthetic_voices(), first_chunks=given.chunks)
    recipe = Recipe(BASELINE, seed=given.seed, augmentation=augmentation, teaching=teaching)
    teacher = trainer_with_teacher(recordings, recipe, Output(given.out), SILENT).objective
    assert isinstance(teacher, HeadDistillationLoss)
    verifier = verifier_of(teacher.heads, teacher.embedding)
    as_stored = {name: array.astype(np.float32) for name, array in verifier.items()}
    save_model(replace(model, verifier=as_stored), given.out)


if __name__ == "__main__":
    main()
