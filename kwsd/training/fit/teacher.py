"""The teacher: heads on Google's speech embedding, from which a CRNN learns.

A CRNN that is trained on synthetic voices overfits to those voices, but the embedding was trained on
thousands of real ones. So heads learn the keyword from embeddings, and the CRNN learns from the heads
(`HeadDistillationLoss` in kwsd.training.fit.losses). Afterwards heads and embedding may become the second
stage, which verifies the CRNN's candidates (kwsd.runtime.verifier). If real people have said the keyword, the
embedding is fine-tuned with the heads. On synthetic voices it would learn to tell those from real ones.
"""

from collections.abc import Iterable
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
from kwsd.training.fit.losses import label_loss, negative_loss
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.speech_segments import SpeechSegments, segment_odds
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends


class Head(nn.Module):
    """A small network from the embeddings of an example to two logits for each embedding.

    In training, noise is added to the embeddings, because a head would memorize the few synthetic voices.
    """

    def __init__(self, teaching: Teaching) -> None:
        super().__init__()
        self.normal = nn.BatchNorm1d(EMBEDDING, affine=False)
        self.each = nn.Conv1d(EMBEDDING, HIDDEN, 1)
        self.together = nn.Conv1d(HIDDEN, HIDDEN, CONTEXT)
        self.output = nn.Conv1d(HIDDEN, 2, 1)
        self.drop = nn.Dropout(teaching.dropout)
        self.noise = teaching.noise

    def forward(self, embeddings: Tensor) -> Tensor:
        """(batch, count, EMBEDDING) to logits (batch, count, 2)."""
        normal = self.normalized(embeddings)
        if self.training:
            normal = normal + self.noise * torch.randn_like(normal)
        each = self.drop(self.each(normal.transpose(1, 2)).relu())
        together = self.drop(self.together(functional.pad(each, (CONTEXT - 1, 0))).relu())
        logits: Tensor = self.output(together).transpose(1, 2)
        return logits

    def normalized(self, embeddings: Tensor) -> Tensor:
        """The embeddings, normalized to mean 0 and variance 1 in each dimension over the examples."""
        normal: Tensor = self.normal(embeddings.transpose(1, 2)).transpose(1, 2)
        return normal


def verifier_of(heads: Iterable[Any], embedding: SpeechEmbedding) -> dict[str, NDArray[Any]]:
    """Heads and embedding as kwsd.runtime.verifier needs them: float16, normalization folded into weights."""
    arrays = embedding.arrays()
    parts: dict[str, list[Tensor]] = {}
    for head in heads:
        mean, variance = head.normal.get_buffer("running_mean"), head.normal.get_buffer("running_var")
        each = head.each.weight[:, :, 0] / (variance + head.normal.eps).sqrt()
        output = head.output.weight[1] - head.output.weight[0]
        part = {
            "each.weight": each.T,
            "each.bias": (head.each.get_parameter("bias") - each @ mean)[None],
            "together.weight": head.together.weight.permute(2, 1, 0).flatten(0, 1),
            "together.bias": head.together.get_parameter("bias")[None],
            "output.weight": output,
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
    pool: ScenePool, speech: SpeechSegments | None, recipe: Recipe, teaching: Teaching
) -> list[Head]:
    """Train heads, each from its own random weights, on a pool annotated by `embedding_annotator`.

    speech: further negatives. The loss on them weighs as much as that on the examples.
    """
    pool.move(0)
    heads = []
    for number in range(teaching.heads):
        torch.manual_seed(recipe.seed * teaching.heads + number)
        random = np.random.default_rng([recipe.seed, number])
        head = Head(teaching)
        optimizer = torch.optim.AdamW(head.parameters(), weight_decay=teaching.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, teaching.head_rate, total_steps=teaching.head_batches
        )
        for _ in range(teaching.head_batches):
            scenes = pool.pick(recipe.batch, random)
            loss = head_loss(head, scenes.annotations["embedding"].float(), scenes, recipe, teaching)
            if speech:
                odds = segment_odds(head, speech.draw(teaching.segments, random))
                loss = loss + negative_loss(odds, teaching.head_highest_share).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        heads.append(head.eval())
    return heads


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
