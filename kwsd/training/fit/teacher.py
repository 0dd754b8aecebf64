"""The teacher: heads on a speech embedding, whom a CRNN learns from.

A CRNN trained on synthetic voices learns those voices; the embedding has heard real ones. So heads learn the
keyword from embeddings, and the CRNN learns the heads' answers at every step, what they heard (FitNets,
Romero et al. 2015, arXiv 1412.6550) and the labels. Afterwards heads and embedding are what the CRNN's
candidates are verified by (kwsd.runtime.verifier). Where people have said the keyword, the embedding learns
with the heads; from synthetic voices it would learn what tells those from people.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP
from kwsd.runtime.verifier import CONTEXT, EMBEDDING, HIDDEN, levelled
from kwsd.training.augment.pool import Annotate, ScenePool, Scenes
from kwsd.training.fit.distillation import at, odds_divergence
from kwsd.training.fit.trainer import Recipe, scene_loss, step_ends
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends

HEADS = 3  # their mean is a better teacher than any of them
_SPREAD = 1.0  # of noise, in standard deviations, on what heads learn from: synthetic voices are few
_RATE, _TUNING_RATE = 2e-3, 5e-4  # of learning, at most: heads, and the embedding where it learns
_LATE = 0.35  # seconds after the word's end: embeddings see it later than frames


class Head(nn.Module):
    """Embeddings of a scene to logits at each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.normal = nn.BatchNorm1d(EMBEDDING, affine=False)
        self.each = nn.Conv1d(EMBEDDING, HIDDEN, 1)
        self.together = nn.Conv1d(HIDDEN, HIDDEN, CONTEXT)
        self.output = nn.Conv1d(HIDDEN, 2, 1)
        self.drop = nn.Dropout(0.2)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(batch, count, EMBEDDING) to logits (batch, count, 2)."""
        normal = self.normalized(embeddings)
        if self.training:
            normal = normal + _SPREAD * torch.randn_like(normal)
        each = self.drop(self.each(normal.transpose(1, 2)).relu())
        together = self.drop(self.together(functional.pad(each, (CONTEXT - 1, 0))).relu())
        logits: Tensor = self.output(together).transpose(1, 2)
        return logits

    def normalized(self, embeddings: Tensor) -> Tensor:
        """The embeddings, each number of mean 0 and variance 1 over the scenes."""
        normal: Tensor = self.normal(embeddings.transpose(1, 2)).transpose(1, 2)
        return normal


def verifier_of(heads: list[Head], embedding: SpeechEmbedding) -> dict[str, NDArray[Any]]:
    """The arrays of kwsd.runtime.verifier, float16; the heads' normalization is made part of them."""
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


def hearing(embedding: SpeechEmbedding) -> Annotate:
    """Notes of scenes: what the embedding makes of them, in float16, at the level that the verifier hears."""
    return lambda audio, _: {"embedding": embedding(_levelled(audio)).half()}


def half_hearing(embedding: SpeechEmbedding) -> Annotate:
    """Notes of scenes: what the fixed groups of the embedding make of them; for `tuned_heads`."""
    return lambda audio, _: {"heard": embedding.frozen_features(_levelled(audio)).half()}


def _levelled(audio: Tensor) -> Tensor:
    return torch.from_numpy(levelled(audio.numpy()))


def train_heads(
    pool: ScenePool, recipe: Recipe, batches: int, on_batch: Callable[[], None] = lambda: None
) -> list[Head]:
    """HEADS heads, each from its own start, on a pool whose scenes were heard by the embedding."""
    pool.move(0)
    heads = []
    for number in range(HEADS):
        torch.manual_seed(recipe.seed * HEADS + number)
        random = np.random.default_rng([recipe.seed, number])
        head = Head()
        optimizer = torch.optim.AdamW(head.parameters(), weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=batches)
        for _ in range(batches):
            scenes = pool.pick(2 * recipe.batch, random)
            loss = _head_loss(head, scenes.notes["embedding"].float(), scenes, recipe)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            on_batch()
        heads.append(head.eval())
    return heads


def tuned_heads(embedding: SpeechEmbedding, pool: ScenePool, recipe: Recipe, batches: int) -> list[Head]:
    """As `train_heads`, but the embedding's upper groups learn with the heads, from all of them at once.

    pool: of scenes that the embedding has half heard. Few passes over many scenes: it learns them by heart.
    """
    pool.move(0)
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    heads = [Head() for _ in range(HEADS)]
    upper = embedding.upper.requires_grad_(True)
    optimizer = torch.optim.AdamW(
        [
            {"params": nn.ModuleList(heads).parameters(), "weight_decay": 1e-2},
            {"params": upper.parameters(), "weight_decay": 0},
        ]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [_RATE, _TUNING_RATE], total_steps=batches)
    for _ in range(batches):
        scenes = pool.pick(recipe.batch // 2, random)
        embeddings = upper(scenes.notes["heard"].float())
        loss = torch.stack([_head_loss(head, embeddings, scenes, recipe) for head in heads]).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    upper.requires_grad_(False)
    return [head.eval() for head in heads]


def _head_loss(head: Head, embeddings: Tensor, scenes: Scenes, recipe: Recipe) -> Tensor:
    logits = head(embeddings)
    return scene_loss(logits, embedding_ends(logits.shape[1]), scenes, replace(recipe, late=_LATE))


class FromHeads(nn.Module):
    """The objective (kwsd.training.fit.trainer.Objective) of a CRNN that learns from heads.

    soft, heard, hard: weights of what the heads answer, what they heard, and the labels. The CRNN's states
    are asked for the embedding through a projection, which is trained with it and dropped.
    """

    def __init__(
        self,
        heads: list[Head],
        embedding: SpeechEmbedding,
        hidden: int,
        soft: float,
        heard: float,
        hard: float,
        temperature: float = 2.0,
    ) -> None:
        super().__init__()
        self.heads, self.embedding = nn.ModuleList(heads).requires_grad_(False), embedding
        self.projection = nn.Linear(hidden, EMBEDDING)
        self.soft, self.heard, self.hard, self.temperature = soft, heard, hard, temperature

    def forward(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        """The loss, a scalar."""
        logits, _, states = crnn.attend(scenes.frames, recipe.window, step)
        odds = logits[..., 1] - logits[..., 0]
        at_step = step_ends(recipe.architecture, logits.shape[1], step)
        embeddings = scenes.notes["embedding"].float()
        known = embedding_ends(embeddings.shape[1])
        answers = torch.stack([head(embeddings) for head in self.heads]).mean(dim=0)
        taught = at(at_step, answers[..., 1] - answers[..., 0], known)
        wanted = at(at_step, self.heads[0].normalized(embeddings), known)  # type: ignore[operator]
        heard = (at_step >= known[0]) & (at_step <= known[-1])  # the embedding needs 0.78 s to begin
        # past the keyword the labels leave a network free, and what a head does there is chance
        free = scenes.keyword[:, None] & (at_step > scenes.end[:, None] + _LATE)
        soft = (odds_divergence(taught, odds, self.temperature) * (heard & ~free)).sum(dim=1).mean()
        far = (self.projection(states) - wanted)[:, heard].square().mean()
        seconds = step * HOP / SAMPLE_RATE
        hard = scene_loss(logits, at_step, scenes, recipe)
        loss: Tensor = self.soft * seconds * soft + self.heard * far + self.hard * hard
        return loss

    def verifier(self) -> dict[str, NDArray[Any]]:
        """The heads and the embedding, as the model file keeps them."""
        return verifier_of(list(self.heads), self.embedding)  # type: ignore[arg-type]

    def train(self, mode: bool = True) -> "FromHeads":
        """The projection learns, the heads stay as they are."""
        super().train(mode)
        self.heads.eval()
        return self

    def extra_repr(self) -> str:
        return f"soft={self.soft}, heard={self.heard}, hard={self.hard}, temperature={self.temperature}"
