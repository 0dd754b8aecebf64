"""The speech embedding that ships with kwsd, to which model files refer instead of holding its weights.

It is Google's (Lin et al. 2020, arXiv 2002.01322, Apache-2.0), trained further so that noisy speech gets the
same embeddings as the same speech without noise. models/embedding/README.md says more.
"""

from functools import cache
from pathlib import Path

import numpy as np

from kwsd.errors import ModelError
from kwsd.resources import shared
from kwsd.runtime.model import Array
from kwsd.runtime.torchfile import read_torch

SHA256 = "47d361ef5f659b26a3353e24d1651dced75497e04ef27011f40f563c757f1d39"  # of the file


def path() -> Path:
    """The file, which holds the arrays by name, in float16."""
    return shared("models") / "embedding" / "noise_robust.pt"


@cache
def shipped_embedding() -> dict[str, Array]:
    """The arrays, float32 and read-only, by their names in `kwsd.runtime.embedding.embedding_shapes`.

    The file is read once, so all models share the arrays. Raises ModelError if it cannot be read.
    """
    try:
        entries = read_torch(path().read_bytes())
    except OSError as error:
        raise ModelError(
            f"cannot read the speech embedding {path()}: {error.strerror}; reinstall kwsd"
        ) from None
    assert isinstance(entries, dict)
    arrays = {name: tensor.array().astype(np.float32) for name, tensor in entries.items()}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays
