"""The teacher: heads on the speech embedding, from which a CRNN learns.

A CRNN that is trained on synthetic voices overfits to those voices, but the embedding was trained on
thousands of real ones. So heads learn the keyword from embeddings, and the CRNN learns from the heads
(`HeadDistillationLoss` in kwsd.training.fit.losses). Afterwards heads and embedding may become the second
stage, which verifies the CRNN's candidates (kwsd.runtime.verifier). If real people have said the keyword, the
embedding is fine-tuned with the heads. On synthetic voices it would learn to tell those from real ones.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.verifier import CONTEXT, HIDDEN
from kwsd.training.augment.pool import Annotator, ScenePool, Scenes
from kwsd.training.fit.losses import label_loss
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.windows import WordEnds, other_windows
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends

NORMALIZED_BY = 4_096  # windows
RARITY = 3.0  # log-odds: in training words count as much as all else, but people say them far more rarely


class Head(nn.Module):
    """A small network from the embeddings of an example to two logits for each embedding.

    In training, noise is added to the embeddings, because a head would memorize the few synthetic voices.
    """

    def __init__(self, teaching: Teaching) -> None:
        super().__init__()
        self.normal = nn.BatchNorm1d(EMBEDDING, affine=False)
        self.each = nn.Linear(EMBEDDING, HIDDEN)
        self.together = nn.Linear(CONTEXT * HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, 2)
        self.drop = nn.Dropout(teaching.dropout)
        self.noise = teaching.noise

    def forward(self, embeddings: Tensor) -> Tensor:
        """(batch, count, EMBEDDING) to logits (batch, count, 2)."""
        return self._logits(functional.pad(self._units(embeddings), (0, 0, CONTEXT - 1, 0)))

    def odds(self, embeddings: Tensor) -> Tensor:
        """(batch, count, EMBEDDING) to the log-odds of each whole window, (batch, count - CONTEXT + 1)."""
        logits = self._logits(self._units(embeddings))
        return logits[..., 1] - logits[..., 0]

    def _units(self, embeddings: Tensor) -> Tensor:
        """The first layer's units, (batch, count, HIDDEN)."""
        normal = self.normalized(embeddings)
        if self.training:
            normal = normal + self.noise * torch.randn(normal.shape)
        units: Tensor = self.drop(self.each(normal).relu())
        return units

    def _logits(self, units: Tensor) -> Tensor:
        """The logits (batch, count - CONTEXT + 1, 2) of (batch, count, HIDDEN)."""
        windows = units.unfold(1, CONTEXT, 1).transpose(2, 3).flatten(2)
        logits: Tensor = self.output(self.drop(self.together(windows).relu()))
        return logits

    def fix_normalization(self, embeddings: Tensor) -> None:
        """Normalize by mean and variance of these embeddings, (n, count, EMBEDDING), in training, too."""
        each = embeddings.flatten(0, 1)
        self.normal.get_buffer("running_mean").copy_(each.mean(dim=0))
        self.normal.get_buffer("running_var").copy_(each.var(dim=0))
        self.normal.eval()

    def normalized(self, embeddings: Tensor) -> Tensor:
        """The embeddings, normalized to mean 0 and variance 1 in each dimension over the examples."""
        normal: Tensor = self.normal(embeddings.flatten(0, 1)).view_as(embeddings)
        return normal


def verifier_of(heads: Iterable[Any], embedding: SpeechEmbedding) -> dict[str, NDArray[Any]]:
    """Heads and embedding as kwsd.runtime.verifier needs them: float16, normalization folded into weights."""
    arrays = embedding.arrays()
    parts: dict[str, list[Tensor]] = {}
    for head in heads:
        mean, variance = head.normal.get_buffer("running_mean"), head.normal.get_buffer("running_var")
        each = head.each.weight / (variance + head.normal.eps).sqrt()
        output = head.output.weight[1] - head.output.weight[0]
        part = {
            "each.weight": each.T,
            "each.bias": (head.each.get_parameter("bias") - each @ mean)[None],
            "together.weight": head.together.weight.T,
            "together.bias": head.together.get_parameter("bias")[None],
            "output.weight": output[:, None],
            "output.bias": head.output.get_parameter("bias").diff()[None],
        }
        for name, value in part.items():
            parts.setdefault(name, []).append(value)
    arrays |= {name: torch.stack(values).detach().numpy() for name, values in parts.items()}
    return {name: np.ascontiguousarray(array, np.float16) for name, array in arrays.items()}


def embedding_annotator(embedding: SpeechEmbedding) -> Annotator:
    """Annotates examples with their embeddings, in float16."""
    return lambda audio, _: {"embedding": embedding(audio).half()}


def frozen_features_annotator(embedding: SpeechEmbedding) -> Annotator:
    """Annotates examples with the output of the embedding's frozen groups, for `fine_tuned_heads`."""
    return lambda audio, _: {"frozen": embedding.frozen_features(audio).half()}


def train_heads(
    pool: ScenePool,
    speech: Tensor | None,
    recipe: Recipe,
    teaching: Teaching,
    on_batch: Callable[[], None] = lambda: None,
) -> list[Head]:
    """Train heads, each from its own random weights, on a pool annotated by `embedding_annotator`.

    speech: further negatives, as `embedded_speech` returns them. on_batch: called after each batch. The
    normalization is fixed before, so that a head hears in training what it will hear later, whatever else
    is in a batch.
    """
    pool.move(0)
    for_heads = replace(recipe, late=teaching.head_late)
    words = WordEnds(pool.chunks, for_heads)
    others = other_windows(pool.chunks, for_heads, speech)
    heads = []
    for number in range(teaching.heads):
        torch.manual_seed(recipe.seed * teaching.heads + number)
        random = np.random.default_rng([recipe.seed, number])
        head = Head(teaching)
        head.fix_normalization(others.draw(NORMALIZED_BY, random))
        optimizer = torch.optim.AdamW(head.parameters(), weight_decay=teaching.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, teaching.head_rate, total_steps=teaching.head_batches
        )
        for _ in range(teaching.head_batches):
            spans, near_end = words.draw(teaching.head_words, random)
            loss = window_loss(
                head.odds(spans), near_end, head.odds(others.draw(teaching.head_others, random))
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            on_batch()
        with torch.no_grad():
            head.output.get_parameter("bias")[1] -= RARITY
        heads.append(head.eval())
    return heads


def window_loss(words: Tensor, near_end: Tensor, others: Tensor) -> Tensor:
    """The loss of a head, a scalar: the mean over words, and the mean over windows without a word's end.

    words: log-odds at the steps near the ends of words, (n, steps). near_end: those that count, of which the
    two highest have to be positive. others: log-odds of windows, any shape, which have to be negative.
    """
    hits = words.masked_fill(~near_end, float("-inf")).topk(2, dim=1).values
    heard = functional.softplus(-hits[hits.isfinite()]).mean()
    return heard + functional.softplus(others).mean()


def fine_tuned_heads(
    embedding: SpeechEmbedding, pool: ScenePool, recipe: Recipe, teaching: Teaching
) -> list[Head]:
    """Train heads and fine-tune the embedding's upper groups with them, on the mean of the heads' losses.

    pool: annotated by `frozen_features_annotator`. It needs many examples and few epochs, because the
    embedding overfits quickly.
    """
    pool.move(0)
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    heads = [Head(teaching) for _ in range(teaching.heads)]
    upper = embedding.upper.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        [
            {"params": nn.ModuleList(heads).parameters(), "weight_decay": teaching.weight_decay},
            {"params": upper.parameters(), "weight_decay": 0},
        ]
    )
    rates = [teaching.head_rate, teaching.tuning_rate]
    batches = teaching.tuning_batches
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=batches)
    for _ in range(batches):
        scenes = pool.pick(recipe.batch // 2, random)
        embeddings = upper(scenes.annotations["frozen"].float())
        loss = torch.stack([head_loss(head, embeddings, scenes, recipe, teaching) for head in heads]).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    upper.requires_grad_(False)
    return [head.eval() for head in heads]


def head_loss(
    head: nn.Module, embeddings: Tensor, scenes: Scenes, recipe: Recipe, teaching: Teaching
) -> Tensor:
    """The label loss of a head, a scalar."""
    logits = head(embeddings)
    for_heads = replace(recipe, late=teaching.head_late, highest_share=teaching.head_highest_share)
    return label_loss(logits, embedding_ends(logits.shape[1]), scenes, for_heads)
