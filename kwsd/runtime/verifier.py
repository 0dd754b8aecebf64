"""The network of the second stage: the speech embedding, and small heads that were trained for the keyword.

It keeps false alarms rare, even in kinds of speech that the model was not trained on.
"""

from collections.abc import Mapping

import numpy as np

from kwsd.runtime.embedding import EMBEDDING, EmbeddingStream, embedding_shapes
from kwsd.runtime.model import Array

CONTEXT = 10  # embeddings that a head sees, one every 80 ms
HIDDEN = 64  # units of a head
MAX_HEADS = 32
AHEAD = 8  # embeddings that are scored before they are asked for, at most


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
    """The heads of a verifier on a stream of embeddings."""

    def __init__(self, weights: Mapping[str, Array], embeddings: EmbeddingStream) -> None:
        """weights: float32 arrays, at least those of the heads, with the names and shapes of `shapes`."""
        self._embeddings = embeddings
        each = weights["each.weight"]  # all heads in one product: (EMBEDDING, heads * HIDDEN)
        self._each = each.swapaxes(0, 1).reshape(EMBEDDING, -1)
        self._each_bias = weights["each.bias"].reshape(-1)
        self._weights = weights
        self.reset()

    def reset(self) -> None:
        """Forget all scores."""
        self._first = 0  # number of the first embedding whose score is kept
        self._kept = np.empty(0, np.float32)

    def read(self, first: int, stop: int) -> Array:
        """The log-odds that the keyword ends at the embeddings `first` to `stop` - 1."""
        if not self._first <= first or self._first + len(self._kept) < stop:
            # those that follow, too, because scoring several at once takes little longer
            last = max(stop, min(self._embeddings.available, stop + AHEAD))
            self._first, self._kept = first, self.log_odds(self._embeddings.read(first - CONTEXT + 1, last))
        return self._kept[first - self._first : stop - self._first]

    def log_odds(self, embeddings: Array) -> Array:
        """The log-odds at each of these embeddings but the first CONTEXT - 1, which are their context.

        embeddings: consecutive ones, (n + CONTEXT - 1, EMBEDDING). Returns (n,).
        """
        w = self._weights
        each = np.maximum(embeddings @ self._each + self._each_bias, 0)
        heads, scores = len(w["each.weight"]), len(embeddings) - CONTEXT + 1
        time, unit = each.strides
        seen = np.ndarray(  # by each head at each score: overlapping views
            (heads, scores, CONTEXT, HIDDEN), np.float32, each, strides=(HIDDEN * unit, time, time, unit)
        ).reshape(heads, scores, CONTEXT * HIDDEN)
        together = np.maximum(seen @ w["together.weight"] + w["together.bias"], 0)
        log_odds: Array = (together @ w["output.weight"] + w["output.bias"]).mean(axis=0)[:, 0]
        return log_odds
