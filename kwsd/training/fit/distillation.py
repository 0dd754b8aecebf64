"""Distillation: a small network learns what large ones answer at every step, and where they look.

A teacher answers once for every example, at its own steps. A student with other steps learns from the answers
interpolated at the ends of its own (`DistillationLoss` in kwsd.training.fit.losses).
"""

import torch
from torch import Tensor

from kwsd.training.augment.pool import Annotator
from kwsd.training.fit.losses import step_ends
from kwsd.training.nn.crnn import CRNN


def teacher_annotator(teachers: list[CRNN], window: int) -> Annotator:
    """Annotates examples with the teachers' mean log-odds and energies, and when their steps end (seconds).

    The teachers must share an architecture. The mean of several is a better teacher than any of them.
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
