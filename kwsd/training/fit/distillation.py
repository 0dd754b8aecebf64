"""Distillation: a small network learns what large ones answer at every step, and where they look.

Soft loss: KL divergence to the teachers' posteriors at a temperature T, times T squared (Hinton et al. 2015,
arXiv 1503.02531). Attention loss: KL divergence to the teachers' attention over the windows that end with the
keyword, after attention transfer (Zagoruyko and Komodakis 2017, arXiv 1612.03928). Hard loss: the labels.

A teacher answers once for every scene, at its own steps; a student with other steps learns from the answers
interpolated at the ends of its own.
"""

from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor
from torch.nn import functional

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import check_number
from kwsd.training.augment.pool import Annotate, Scenes
from kwsd.training.fit.trainer import Recipe, near, scene_loss, step_ends
from kwsd.training.nn.crnn import CRNN, sliding_energies


@dataclass(frozen=True)
class Distillation:
    """The objective (kwsd.training.fit.trainer.Objective) of a student.

    alpha: weight of the soft loss; the hard loss has 1 - alpha. attention: weight of the attention loss.
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
        ends = step_ends(recipe.architecture, logits.shape[1], step)
        hard = scene_loss(logits, ends, scenes, recipe)
        taught = at(ends, scenes.notes["odds"], scenes.notes["ends"][0])
        soft = odds_divergence(taught, logits[..., 1] - logits[..., 0], self.temperature)
        # past the keyword the labels leave a network free, and what a teacher does there is chance
        taught_for = ~scenes.keyword[:, None] | (ends <= scenes.end[:, None] + recipe.late)
        seconds = step * HOP / SAMPLE_RATE
        loss = self.alpha * (soft * taught_for).sum(dim=1).mean() * seconds + (1 - self.alpha) * hard
        if self.attention:
            wanted = at(ends, scenes.notes["energy"], scenes.notes["ends"][0])
            looking = attention_divergence(wanted, energy, recipe.window)[near(ends, scenes, recipe)]
            loss = loss + self.attention * looking.mean()
        return loss


def odds_divergence(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """T squared times KL(teacher, student) of posteriors softened by T, given log-odds of any shape."""
    t, s = teacher / temperature, student / temperature
    p = torch.sigmoid(t)
    divergence = p * (functional.logsigmoid(t) - functional.logsigmoid(s))
    divergence = divergence + (1 - p) * (functional.logsigmoid(-t) - functional.logsigmoid(-s))
    return divergence * temperature**2


def attention_divergence(teacher: Tensor, student: Tensor, window: int) -> Tensor:
    """KL(teacher, student) of the attention over each step's window. Energies and result, (batch, steps)."""
    window = min(window, student.shape[1])
    windows = (sliding_energies(energy, window) for energy in (teacher, student))
    wanted, given = (energies.clamp(min=-1e4).log_softmax(dim=2) for energies in windows)
    return (wanted.exp() * (wanted - given)).sum(dim=2)


def at(times: Tensor, values: Tensor, known: Tensor) -> Tensor:
    """`values` (batch, n, ...), known at evenly spaced times (n,), interpolated at `times` (m,)."""
    place = ((times - known[0]) / (known[1] - known[0])).clamp(0, len(known) - 1)
    low = place.long().clamp(max=len(known) - 2)
    between = (place - low).reshape(-1, *[1] * (values.ndim - 2))
    return torch.lerp(values[:, low], values[:, low + 1], between)


def teaching(teachers: list[CRNN], window: int) -> Annotate:
    """Notes of scenes: the teachers' mean log-odds and energies at their steps, and when those end (seconds).

    The teachers must share an architecture; the mean of several is a better teacher than any of them.
    """
    architecture = teachers[0].architecture

    def annotate(_: Tensor, frames: Tensor) -> dict[str, Tensor]:
        answers = [teacher.eval().attend(frames, window) for teacher in teachers]
        logits = torch.stack([logits for logits, _, _ in answers]).mean(dim=0)
        energy = torch.stack([energy for _, energy, _ in answers]).mean(dim=0)
        ends = step_ends(architecture, logits.shape[1], architecture.stride[1])
        return {
            "odds": logits[..., 1] - logits[..., 0],
            "energy": energy,
            "ends": ends.expand(len(frames), -1),
        }

    return annotate
