"""Losses: against labels, against teacher CRNNs, and against heads on a speech embedding.

Each loss is computed at every step of the network. Where a function takes `ends`, these are the times, in
seconds into the example, at which the last frame of each step ends. `odds` are log-odds throughout.
"""

from dataclasses import dataclass
from numbers import Real
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.frontend import HOP, N_FFT
from kwsd.runtime.model import Architecture, check_number
from kwsd.training.augment.pool import Scenes
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.nn.crnn import CRNN, sliding_energies
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends


class Objective(Protocol):
    """A training objective. Its ``repr`` is stored in checkpoints, to identify the objective."""

    def __call__(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        """The loss of a batch of examples at steps of `step` frames, a scalar."""


@dataclass(frozen=True)
class LabelLoss:
    """Trains on the labels alone."""

    def __call__(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        logits = crnn(scenes.frames, recipe.window, step)
        ends = step_ends(recipe.architecture, logits.shape[1], step, logits.device)
        return label_loss(logits, ends, scenes, recipe)


@dataclass(frozen=True)
class DistillationLoss:
    """Trains a student on its teachers' posteriors and attention, and on the labels.

    Soft loss: KL divergence to the teachers' posteriors at a temperature T, times T squared (Hinton et al.
    2015, arXiv 1503.02531). Attention loss: KL divergence to the teachers' attention over the windows that
    end with the keyword, similar to attention transfer (Zagoruyko and Komodakis 2017, arXiv 1612.03928).

    alpha: weight of the soft loss; the label loss has 1 - alpha. attention: weight of the attention loss.
    Raises UsageError for a value out of range.
    """

    temperature: float = 4.0
    alpha: float = 0.5
    attention: float = 0.0

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature, 0.1, 100, Real)
        check_number("alpha", self.alpha, 0, 1, Real)
        check_number("attention", self.attention, 0, 1_000, Real)

    def __call__(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        logits, energy, _ = crnn.attend(scenes.frames, recipe.window, step)
        ends = step_ends(recipe.architecture, logits.shape[1], step, logits.device)
        hard = label_loss(logits, ends, scenes, recipe)
        known = scenes.annotations["ends"][0]
        teachers = interpolate_at(ends, scenes.annotations["odds"], known)
        soft = odds_divergence(teachers, logits[..., 1] - logits[..., 0], self.temperature)
        # After the keyword, the labels constrain nothing, so there the teachers' posteriors are arbitrary.
        counted = ~scenes.keyword[:, None] | (ends <= scenes.end[:, None] + recipe.late)
        seconds = step * HOP / SAMPLE_RATE
        loss = self.alpha * (soft * counted).sum(dim=1).mean() * seconds + (1 - self.alpha) * hard
        if self.attention:
            wanted = interpolate_at(ends, scenes.annotations["energy"], known)
            divergence = attention_divergence(wanted, energy, recipe.window)
            loss = loss + self.attention * divergence[near_word_end(ends, scenes, recipe)].mean()
        return loss


class HeadDistillationLoss(nn.Module):
    """Trains a CRNN on the posteriors of heads, on the embeddings that are their input, and on the labels.

    The CRNN learns the embeddings (FitNets, Romero et al. 2015, arXiv 1412.6550) through a projection of its
    states, which is trained with the CRNN and dropped afterwards.
    """

    def __init__(
        self, heads: list[nn.Module], embedding: SpeechEmbedding, hidden: int, teaching: Teaching
    ) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads).requires_grad_(False).eval()  # in a resumed run they are new
        self.embedding = embedding
        self.projection = nn.Linear(hidden, EMBEDDING)
        self.teaching = teaching

    def forward(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        """The loss of a batch of examples at steps of `step` frames, a scalar."""
        t = self.teaching
        logits, _, states = crnn.attend(scenes.frames, recipe.window, step)
        odds = logits[..., 1] - logits[..., 0]
        ends = step_ends(recipe.architecture, logits.shape[1], step, logits.device)
        embeddings = scenes.annotations["embedding"].float()
        known = embedding_ends(embeddings.shape[1])  # when each embedding ends
        head_logits = torch.stack([head(embeddings) for head in self.heads]).mean(dim=0)
        teacher = interpolate_at(ends, head_logits[..., 1] - head_logits[..., 0], known)
        wanted = interpolate_at(ends, self.heads[0].normalized(embeddings), known)  # type: ignore[operator]
        # the first embedding ends after 0.78 s, so the steps before that learn from the labels only
        covered = (ends >= known[0]) & (ends <= known[-1])
        # After the keyword, the labels constrain nothing, so there the heads' posteriors are arbitrary
        # and these steps are free.
        free = scenes.keyword[:, None] & (ends > scenes.end[:, None] + t.head_late)
        soft = (odds_divergence(teacher, odds, t.temperature) * (covered & ~free)).sum(dim=1).mean()
        distance = (self.projection(states) - wanted)[:, covered].square().mean()
        seconds = step * HOP / SAMPLE_RATE
        hard = label_loss(logits, ends, scenes, recipe)
        loss: Tensor = (
            t.posterior_weight * seconds * soft + t.embedding_weight * distance + t.label_weight * hard
        )
        return loss


def step_ends(
    architecture: Architecture, steps: int, step: int, device: torch.device | None = None
) -> Tensor:
    """Seconds into the example at which each step's last frame ends, (steps,)."""
    last_frame = architecture.kernel[1] - 1 + step * torch.arange(steps, device=device)
    return (last_frame * HOP + N_FFT) / SAMPLE_RATE


def near_word_end(ends: Tensor, scenes: Scenes, recipe: Recipe) -> Tensor:
    """Whether each step ends near the end of the keyword, (batch, steps) bool. ends: (steps,)."""
    end = scenes.end[:, None]
    return scenes.keyword[:, None] & (ends >= end - recipe.early) & (ends <= end + recipe.late)


def label_loss(logits: Tensor, ends: Tensor, scenes: Scenes, recipe: Recipe) -> Tensor:
    """Cross-entropy over the steps of examples, a scalar.

    In examples with the keyword, the two highest steps near the end of the word are positive (max-pooling,
    Sun et al. 2017, arXiv 1705.02411), steps before the word are negative, and steps after it do not count.
    In examples without the keyword all steps are negative (`negative_loss`).
    """
    odds = logits[..., 1] - logits[..., 0]
    keyword = scenes.keyword
    before = ends <= scenes.onset[:, None] + recipe.onset
    near_end = near_word_end(ends, scenes, recipe)
    hit = odds.masked_fill(~near_end, float("-inf"))[keyword].topk(2, dim=1).values
    # the mean of the two; where fewer steps end near the word's end, the others are -inf and left out
    yes = functional.softplus(-hit[hit.isfinite()]).sum() / 2
    refuse = functional.softplus(odds)
    early = (refuse * before)[keyword].sum() / max(1, before.shape[1] // 2)
    return (yes + early + negative_loss(odds[~keyword], recipe.highest_share).sum()) / len(odds)


def negative_loss(odds: Tensor, highest_share: float) -> Tensor:
    """Cross-entropy of examples without the keyword, (n,), given log-odds (n, steps).

    highest_share: weight of the highest step; the mean over all steps has the rest, 1 - highest_share.
    """
    refuse = functional.softplus(odds)
    loss: Tensor = torch.lerp(refuse.mean(dim=1), refuse.amax(dim=1), highest_share)
    return loss


def odds_divergence(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """T squared times KL(teacher, student) of posteriors softened by T, given log-odds of any shape."""
    t, s = teacher / temperature, student / temperature
    p = torch.sigmoid(t)
    divergence = p * (functional.logsigmoid(t) - functional.logsigmoid(s))
    divergence = divergence + (1 - p) * (functional.logsigmoid(-t) - functional.logsigmoid(-s))
    return divergence * temperature**2


def attention_divergence(teacher: Tensor, student: Tensor, window: int) -> Tensor:
    """KL(teacher, student) of the attention over each step's window. Energies and result: (batch, steps)."""
    window = min(window, student.shape[1])
    windows = (sliding_energies(energy, window) for energy in (teacher, student))
    # `wanted` of the teacher, `given` by the student
    wanted, given = (energies.clamp(min=-1e4).log_softmax(dim=2) for energies in windows)
    return (wanted.exp() * (wanted - given)).sum(dim=2)


def interpolate_at(times: Tensor, values: Tensor, known: Tensor) -> Tensor:
    """Interpolate `values` (batch, n, ...), given at evenly spaced times `known` (n,), at `times` (m,)."""
    place = ((times - known[0]) / (known[1] - known[0])).clamp(0, len(known) - 1)
    low = place.long().clamp(max=len(known) - 2)
    between = (place - low).reshape(-1, *[1] * (values.ndim - 2))
    return torch.lerp(values[:, low], values[:, low + 1], between)
