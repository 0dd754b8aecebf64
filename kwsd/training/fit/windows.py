"""What the heads are trained on: windows of embeddings around the end of the keyword, and all the others.

A head scores each window of CONTEXT embeddings alone, so every window is an example of its own.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.embedding import EMBEDDING, STRIDE
from kwsd.runtime.frontend import HOP
from kwsd.runtime.verifier import CONTEXT
from kwsd.training.augment.pool import Scenes
from kwsd.training.fit.losses import near_word_end
from kwsd.training.fit.recipe import Recipe
from kwsd.training.nn.embedding import embedding_ends


class Windows:
    """Windows of CONTEXT consecutive embeddings, drawn with equal probability."""

    def __init__(self, parts: Iterable[tuple[Tensor, Tensor]]) -> None:
        """parts: pieces (n, count, EMBEDDING) of consecutive embeddings, float16, and which of them end a
        window, (n, count) bool. The first CONTEXT - 1 of a piece end none.
        """
        embeddings, ends, rows = [], [], 0
        for pieces, wanted in parts:
            complete = torch.arange(pieces.shape[1]) >= CONTEXT - 1
            ends.append((wanted & complete).flatten().nonzero()[:, 0] + rows)
            embeddings.append(pieces.reshape(-1, EMBEDDING))
            rows += len(embeddings[-1])
        self._embeddings, self._ends = torch.cat(embeddings), torch.cat(ends)

    def __len__(self) -> int:
        return len(self._ends)

    def draw(self, count: int, random: np.random.Generator) -> Tensor:
        """Random windows, float32 (count, CONTEXT, EMBEDDING)."""
        last = self._ends[torch.from_numpy(random.integers(len(self), size=count))]
        return self._embeddings[last[:, None] + torch.arange(1 - CONTEXT, 1)].float()


class WordEnds:
    """The windows near the end of each keyword, (n, steps); `recipe` says what is near."""

    def __init__(self, chunks: Iterable[Scenes], recipe: Recipe) -> None:
        """chunks: annotated by `embedding_annotator`."""
        seconds = STRIDE * HOP / SAMPLE_RATE  # from one embedding to the next
        self._steps = math.floor((recipe.early + recipe.late) / seconds) + 1  # the most that are near
        spans, near = [], []
        for scenes in chunks:
            embeddings = scenes.annotations["embedding"]
            count = embeddings.shape[1]
            is_near = near_word_end(embedding_ends(count), scenes, recipe)
            first = is_near.int().argmax(dim=1)
            whole = is_near.any(dim=1) & (first >= CONTEXT - 1) & (first + self._steps <= count)
            rows, first = whole.nonzero(), first[whole][:, None]
            spans.append(embeddings[rows, first + torch.arange(1 - CONTEXT, self._steps)])
            near.append(is_near[rows, first + torch.arange(self._steps)])
        self._spans, self._near = torch.cat(spans), torch.cat(near)

    def __len__(self) -> int:
        return len(self._spans)

    def draw(self, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random ones: embeddings, float32 (count, CONTEXT - 1 + steps, EMBEDDING), of consecutive windows,
        and which of these are near the end of the word, (count, steps) bool.
        """
        index = torch.from_numpy(random.integers(len(self), size=count))
        return self._spans[index].float(), self._near[index]


def other_windows(chunks: Iterable[Scenes], recipe: Recipe, speech: Tensor | None) -> Windows:
    """The windows in which no keyword ends.

    They are all windows of `speech`, pieces (n, count, EMBEDDING), all of the examples without the keyword,
    and in examples with it those that end before it.
    """
    parts = []
    for scenes in chunks:
        embeddings = scenes.annotations["embedding"]
        before = embedding_ends(embeddings.shape[1]) <= scenes.onset[:, None] + recipe.onset
        parts.append((embeddings, ~scenes.keyword[:, None] | before))
    if speech is not None:
        parts.append((speech, torch.ones(speech.shape[:2], dtype=torch.bool)))
    return Windows(parts)
