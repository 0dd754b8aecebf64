"""The network of the second stage: the speech embedding, and small heads that were trained for the keyword.

It keeps false alarms rare, even in kinds of speech that the model was not trained on.
"""

from collections.abc import Mapping

import numpy as np

from kwsd.runtime.embedding import EMBEDDING, embedding_shapes
from kwsd.runtime.model import Array

CONTEXT = 10  # embeddings that a head sees, one every 80 ms
HIDDEN = 64  # units of a head
MAX_HEADS = 32


def shapes(heads: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every array of a verifier: those of the embedding, and those of so many heads."""
    return embedding_shapes() | {
        "each.weight": (heads, EMBEDDING, HIDDEN),
        "each.bias": (heads, 1, HIDDEN),
        "together.weight": (heads, CONTEXT * HIDDEN, HIDDEN),
        "together.bias": (heads, 1, HIDDEN),
        "output.weight": (heads, HIDDEN, 1),
        "output.bias": (heads, 1, 1),
    }


class Heads:
    """The heads of a verifier."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        """weights: float32 arrays, at least those of the heads, with the names and shapes of `shapes`."""
        self._weights = weights

    def log_odds(self, embeddings: Array) -> Array:
        """The log-odds that the keyword ends at each of these embeddings but the first CONTEXT - 1.

        embeddings: consecutive ones, (n + CONTEXT - 1, EMBEDDING). Returns the mean of the heads, (n,).
        """
        w = self._weights
        each = np.maximum(embeddings @ w["each.weight"] + w["each.bias"], 0)  # head, time, unit
        seen = np.lib.stride_tricks.sliding_window_view(each, CONTEXT, axis=1)  # head, score, unit, time
        seen = seen.swapaxes(2, 3).reshape(len(each), -1, CONTEXT * HIDDEN)
        together = np.maximum(seen @ w["together.weight"] + w["together.bias"], 0)
        log_odds: Array = (together @ w["output.weight"] + w["output.bias"]).mean(axis=0)[:, 0]
        return log_odds
