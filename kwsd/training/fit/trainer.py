"""The training loop: trains a network on examples, keeps the weights that did best in validation."""

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kwsd.errors import KwsdError, UsageError
from kwsd.files import replace_file
from kwsd.training.augment.pool import ScenePool
from kwsd.training.evaluate.metrics import one_minus_auroc
from kwsd.training.fit.clip_scores import clip_frames, clip_scores
from kwsd.training.fit.losses import LabelLoss, Objective
from kwsd.training.fit.recipe import Recipe
from kwsd.training.nn.crnn import CRNN


@dataclass(frozen=True)
class Epoch:
    """The result of an epoch."""

    number: int  # from 1
    loss: float
    validation: float  # 1 - AUROC
    best: bool  # as good in validation as any epoch before, or better
    not_saved: str = ""  # why its checkpoint could not be written


class Trainer:
    """Trains a CRNN on examples and keeps the weights that are best on the validation clips.

    Only the second half of the epochs competes: a network that has hardly learned anything may rank a few
    clips well by luck, but its posteriors are too low to be of use.

    validation: (keyword clips, other clips), each (n, 16000) int16, from Recordings.validation. checkpoint:
    file to write after each epoch, or None. objective: the loss; LabelLoss if None. crnn: the network to
    start from; if None, a new one with random weights that depend on the seed. The device is the pool's.
    """

    def __init__(
        self,
        recipe: Recipe,
        pool: ScenePool,
        validation: tuple[np.ndarray, np.ndarray],
        checkpoint: Path | None,
        objective: Objective | None = None,
        crnn: CRNN | None = None,
    ) -> None:
        self.recipe, self.pool, self.checkpoint = recipe, pool, checkpoint
        self.objective = objective or LabelLoss()
        # an objective may have weights of its own ("auxiliary"): trained with the network and then dropped
        self._auxiliary = self.objective if isinstance(self.objective, nn.Module) else nn.Module()
        torch.manual_seed(recipe.seed)
        self.crnn = (crnn or CRNN(recipe.architecture)).to(pool.device)
        self.crnn.carried_share = recipe.carried_share
        self.averaged = copy.deepcopy(self.crnn)
        self.step = recipe.architecture.stride[1]
        learning = [*self.crnn.parameters(), *(p for p in self._auxiliary.parameters() if p.requires_grad)]
        self.optimizer = torch.optim.Adam(learning, lr=recipe.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            recipe.learning_rate,
            total_steps=recipe.epochs * recipe.batches,
            pct_start=recipe.warm_up,
        )
        kernel = recipe.architecture.kernel[1]
        self._validation = [
            clip_frames(audio, kernel, recipe.window, self.step).to(pool.device) for audio in validation
        ]
        self.epoch, self.best = 0, float("inf")  # epochs done; the lowest validation of them
        self.best_weights = copy.deepcopy(self.crnn.state_dict())
        self.history: list[dict[str, Any]] = []
        self.saved = 0  # epochs that the checkpoint contains

    def run(self, report: Callable[[Epoch], None], on_batch: Callable[[], None] = lambda: None) -> None:
        """Train to the last epoch, and save a checkpoint after each.

        If a checkpoint cannot be written, the run continues, and `report` gets the reason.
        """
        while self.epoch < self.recipe.epochs:
            loss = self._train_epoch(on_batch)
            self.epoch += 1
            validation = self.validate()
            best = 2 * self.epoch > self.recipe.epochs and validation <= self.best
            if best:
                self.best = validation
                self.best_weights = copy.deepcopy(self.averaged.state_dict())
            self.history.append({"epoch": self.epoch, "loss": loss, "validation": validation})
            not_saved = ""
            if self.checkpoint:
                try:
                    self.save(self.checkpoint)
                except KwsdError as error:
                    not_saved = str(error)
            report(Epoch(self.epoch, loss, validation, best, not_saved))

    def _train_epoch(self, on_batch: Callable[[], None]) -> float:
        # the seed includes the epoch's number, so a resumed run draws the same as an uninterrupted one
        random = np.random.default_rng([self.recipe.seed, self.epoch])
        torch.manual_seed(int(random.integers(2**31)))
        self.pool.move(self.epoch)
        self.crnn.train()
        self.crnn.reset_states()  # as in a resumed run, which has no earlier batch
        total = 0.0
        for _ in range(self.recipe.batches):
            scenes = self.pool.batch(self.recipe.batch, random)
            loss = self.objective(self.crnn, scenes, self._draw_step(random), self.recipe)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.crnn.parameters(), self.recipe.gradient_norm)
            self.optimizer.step()
            self.schedule.step()
            self._average()
            total += loss.item()
            on_batch()
        return total / self.recipe.batches

    def _draw_step(self, random: np.random.Generator) -> int:
        """Frames between two steps: usually the stride. Sometimes another number, to work at any --step."""
        if random.random() < self.recipe.own_step:
            return self.step
        lowest, highest = self.recipe.other_steps
        return int(random.integers(max(1, self.step + lowest), self.step + highest + 1))

    def _average(self) -> None:
        """Move the averaged weights towards the current ones (Polyak 1992), faster at the start."""
        done = self.schedule.last_epoch  # counts batches
        decay = min(self.recipe.averaging, done / (done + 9))  # after batch n: n / (n + 9), 0.1 at first
        with torch.no_grad():
            for kept, new in zip(self.averaged.parameters(), self.crnn.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    def best_crnn(self) -> CRNN:
        """The network with the averaged weights of the epoch that validated best."""
        self.averaged.load_state_dict(self.best_weights)
        return self.averaged.cpu().eval()

    def validate(self) -> float:
        """1 - AUROC of the averaged weights on the validation clips."""
        keyword, others = (
            clip_scores(self.averaged, f, self.recipe.window, self.step) for f in self._validation
        )
        return one_minus_auroc(keyword, others)

    def save(self, checkpoint: Path) -> None:
        """Write the checkpoint, for `resume`. Raises KwsdError if it cannot be written."""
        state = {
            "made_for": self._made_for(),
            "crnn": self.crnn.state_dict(),
            "auxiliary": self._auxiliary.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
            "best": self.best,
            "best_weights": self.best_weights,
            "history": self.history,
        }
        file = io.BytesIO()
        torch.save(state, file)
        replace_file(checkpoint, file.getvalue())
        self.saved = self.epoch

    def resume(self, checkpoint: Path) -> None:
        """Continue from a checkpoint. Raises UsageError as `read_checkpoint` does."""
        state = read_checkpoint(checkpoint, self.recipe)
        if state["made_for"] != self._made_for():
            raise UsageError(_of_other_options(checkpoint))
        try:
            self.crnn.load_state_dict(state["crnn"])
            self._auxiliary.load_state_dict(state["auxiliary"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UsageError(_damaged(checkpoint)) from error
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_weights, self.history = state["best_weights"], state["history"]
        self.saved = self.epoch

    def _made_for(self) -> str:
        """The recipe and the objective as text, to be compared with those of a checkpoint."""
        return f"{_made_for(self.recipe)}{self.objective!r}"


def read_checkpoint(checkpoint: Path, recipe: Recipe) -> dict[str, Any]:
    """The content of a checkpoint. Only tensors and plain values are read, so no code in it can run.

    Raises UsageError if the file does not exist, is damaged or was made with another recipe.
    """
    try:
        content = checkpoint.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{checkpoint} does not exist, so there is nothing to resume; train without --resume"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the checkpoint {checkpoint}: {error.strerror}") from error
    try:
        state = torch.load(io.BytesIO(content), "cpu", weights_only=True)
        made_for, epoch = state["made_for"], state["epoch"]
    except Exception as error:  # a damaged archive or pickle can raise any exception
        raise UsageError(_damaged(checkpoint)) from error
    if not isinstance(made_for, str) or not isinstance(epoch, int):
        raise UsageError(_damaged(checkpoint))
    if not made_for.startswith(_made_for(recipe)):  # or another version of kwsd made it
        raise UsageError(_of_other_options(checkpoint))
    if not state.keys() >= _KEYS:
        raise UsageError(_damaged(checkpoint))
    return dict(state)


_KEYS = {"crnn", "auxiliary", "averaged", "optimizer", "schedule", "best", "best_weights", "history"}


def _made_for(recipe: Recipe) -> str:
    """The recipe as text. The blank separates it from the objective that follows in a checkpoint."""
    return f"{recipe!r} "


def _of_other_options(checkpoint: Path) -> str:
    return f"{checkpoint} was made with other options; use those again, or remove it"


def _damaged(checkpoint: Path) -> str:
    return f"{checkpoint} is damaged or not a checkpoint of kwsd; remove it"
