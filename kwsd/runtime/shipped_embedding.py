"""The speech embedding that ships with kwsd, to which model files refer instead of holding its weights.

It is Google's (Lin et al. 2020, arXiv 2002.01322, Apache-2.0); models/embedding/README.md says more.
"""

from functools import cache
from pathlib import Path

import numpy as np

from kwsd.errors import ModelError
from kwsd.resources import shared
from kwsd.runtime.model import Array
from kwsd.runtime.torchfile import read_torch

SHA256 = "0cf26d8c11d1b44bc57cfcad9c88d33bee3697027174be4b1860369e62d2d928"  # of the file


def path() -> Path:
    """The file, which holds the arrays by name, in float16."""
    return shared("models") / "embedding" / "google.pt"


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
