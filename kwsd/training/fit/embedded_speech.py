"""Running speech as embeddings, all of which is a negative for the heads.

A head scores running speech every 80 ms, so it is trained on all of it. The embedding is frozen and the same
for every keyword, so speech is embedded once and kept on the disk.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kwsd.files import replacing, user_folder
from kwsd.pcm import SAMPLE_RATE, to_float32
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.augment.words import Audio
from kwsd.training.nn.embedding import SpeechEmbedding

PIECE_SAMPLES = 20 * SAMPLE_RATE  # that are embedded at once


def embedded_speech(
    sources: Iterable[Sequence[Audio]],
    scenes: SceneMaker,
    embedding: SpeechEmbedding,
    cache: Path | None = None,
    on_piece: Callable[[int], None] = lambda _: None,
) -> Tensor | None:
    """The speech of each source, as recorded and once more disguised as `scenes` does it.

    Returns pieces (n, count, EMBEDDING) of consecutive embeddings, float16; None if there are less than
    PIECE_SAMPLES of speech. cache: folder that keeps the embeddings of a source; in the user's cache if
    not given. on_piece: called with the number of pieces done, which includes those that were kept.
    """
    done, found = 0, []
    for pieces in map(_pieces, sources):
        name = _fingerprint(pieces, scenes, embedding)
        file = (cache or user_folder("cache") / "embeddings") / f"{name}.npy"
        if not len(pieces):
            continue
        if file.exists():
            found.append(torch.from_numpy(np.load(file, allow_pickle=False)))
            done += len(pieces)
            on_piece(done)
            continue
        random = np.random.default_rng(int(name, 16))
        parts = []
        for piece in pieces:
            audio = np.stack([to_float32(piece)] * 2)
            scenes.disguise(audio[1], random)
            parts.append(embedding(torch.from_numpy(audio)).half())
            done += 1
            on_piece(done)
        found.append(torch.cat(parts))
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as opened:
            np.save(opened, found[-1].numpy())
    return torch.cat(found) if found else None


def _pieces(recordings: Sequence[Audio]) -> Audio:
    """Recordings one after another, cut into (n, PIECE_SAMPLES). The rest is left out."""
    whole = np.concatenate([np.empty(0, np.int16), *recordings])
    return whole[: len(whole) // PIECE_SAMPLES * PIECE_SAMPLES].reshape(-1, PIECE_SAMPLES)


def _fingerprint(pieces: Audio, scenes: SceneMaker, embedding: SpeechEmbedding) -> str:
    """A hexadecimal number for everything that the embeddings depend on."""
    digest = hashlib.blake2b(repr(scenes.augmentation).encode(), digest_size=16)
    for array in (pieces, *scenes.noise, *embedding.arrays().values()):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
