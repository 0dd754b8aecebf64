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
from kwsd.training.augment.pool import ScenePool
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.embedded_speech import embedded_speech
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.teacher import embedding_annotator, train_heads, verifier_of
from kwsd.training.nn.embedding import SpeechEmbedding
from kwsd.training.release.modelfile import save_model


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
    teaching = Teaching.for_synthetic_voices()
    recipe = Recipe(BASELINE, seed=given.seed, augmentation=augmentation, teaching=teaching)
    embedding, scenes = SpeechEmbedding(), recordings.scenes(recipe.augmentation)
    pool = ScenePool(scenes, recipe.seed, embedding_annotator(embedding), given.chunks)
    speech = embedded_speech(recordings.running_speech("training"), scenes, embedding)
    heads = train_heads(pool, speech, recipe, teaching)
    verifier = {name: array.astype(np.float32) for name, array in verifier_of(heads, embedding).items()}
    save_model(replace(model, verifier=verifier), given.out)


if __name__ == "__main__":
    main()
