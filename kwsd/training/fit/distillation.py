"""Distillation: a small network learns the posteriors of large networks at every step, and their attention.

Teachers score each example once, at their own steps. A student with other steps learns from scores that are
interpolated at the ends of its steps (`DistillationLoss` in kwsd.training.fit.losses).
"""

import torch
from torch import Tensor

from kwsd.training.augment.pool import Annotator
from kwsd.training.fit.losses import step_ends
from kwsd.training.nn.crnn import CRNN


def teacher_annotator(teachers: list[CRNN], window: int) -> Annotator:
    """Annotates examples with the teachers' mean log-odds and energies, and the ends of their steps (s).

    The teachers must share an architecture. The mean of several is a better teacher than any of them.
    """
    architecture = teachers[0].architecture

    def annotate(_: Tensor, frames: Tensor) -> dict[str, Tensor]:
        outputs = [teacher.eval().attend(frames, window) for teacher in teachers]
        logits = torch.stack([logits for logits, _, _ in outputs]).mean(dim=0)
        energy = torch.stack([energy for _, energy, _ in outputs]).mean(dim=0)
        ends = step_ends(architecture, logits.shape[1], architecture.stride[1], logits.device)
        return {
            "odds": logits[..., 1] - logits[..., 0],
            "energy": energy,
            "ends": ends.expand(len(frames), -1),
        }

    return annotate
