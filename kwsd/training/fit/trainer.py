"""Training on scenes: cross-entropy at the steps that decide; the best on validation is kept."""

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from kwsd.errors import KwsdError, UsageError
from kwsd.files import replace_file
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT
from kwsd.runtime.model import Architecture, check_number
from kwsd.training.augment.pool import ScenePool, Scenes
from kwsd.training.augment.scenes import SCENE
from kwsd.training.evaluate.metrics import one_minus_auroc
from kwsd.training.fit.clip_scores import check_window, clip_frames, clip_scores
from kwsd.training.nn.crnn import CRNN

MAX_SEED = 2**31 - 1
MIN_STEPS = 4  # of a scene, at the widest step that is trained


@dataclass(frozen=True)
class Recipe:
    """Everything a run depends on but the data. Raises UsageError for a value out of range."""

    architecture: Architecture
    window: int = 20
    epochs: int = 60
    batches: int = 60  # per epoch
    batch: int = 128  # scenes
    learning_rate: float = 3e-3
    averaging: float = 0.995  # decay per batch of the running mean of the weights, which is what is kept
    seed: int = 0
    early: float = 0.1  # seconds before the word's end from which the posterior may rise
    late: float = 0.25  # seconds after it by which it must have risen

    def __post_init__(self) -> None:
        check_number("window", self.window, 1, 100_000)
        check_number("epochs", self.epochs, 1, 100_000)
        check_number("batches", self.batches, 1, 100_000)
        check_number("batch", self.batch, 1, 100_000)
        check_number("learning rate", self.learning_rate, 1e-9, 1, Real)
        check_number("averaging", self.averaging, 0, 1, Real)
        check_number("seed", self.seed, 0, MAX_SEED)
        check_number("early", self.early, 0, 10, Real)
        check_number("late", self.late, 0, 10, Real)
        check_window(self.window, self.architecture.stride[1])
        steps = (scene_frames() - self.architecture.kernel[1]) // (self.architecture.stride[1] + 1) + 1
        if steps < MIN_STEPS:
            raise UsageError(
                f"kernel and stride (time) leave {max(0, steps)} steps in a scene of {scene_frames()} "
                f"frames; at least {MIN_STEPS} are needed"
            )


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to."""

    number: int  # from 1
    loss: float
    validation: float  # 1 - AUROC
    best: bool
    not_saved: str = ""  # why its checkpoint could not be written


def scene_frames() -> int:
    """Frames of the shortest scene."""
    return (SCENE - N_FFT) // HOP + 1


def step_ends(architecture: Architecture, steps: int, step: int) -> Tensor:
    """Seconds into the scene at which each step's last frame ends, (steps,)."""
    last_frame = architecture.kernel[1] - 1 + step * torch.arange(steps)
    return (last_frame * HOP + N_FFT) / SAMPLE_RATE


def near(ends: Tensor, scenes: Scenes, recipe: Recipe) -> Tensor:
    """Which steps, by their ends (steps,), end with the scene's keyword, (batch, steps) bool."""
    end = scenes.end[:, None]
    return scenes.keyword[:, None] & (ends >= end - recipe.early) & (ends <= end + recipe.late)


def scene_loss(logits: Tensor, ends: Tensor, scenes: Scenes, recipe: Recipe) -> Tensor:
    """Cross-entropy over the steps of scenes, a scalar.

    Scenes with the keyword: the two highest steps around the word's end must say yes (max-pooling, Sun et al.
    2017, arXiv 1705.02411), every step before the word must say no; steps past it are free. Scenes without:
    every step must say no, the highest counting as much as all others together.
    """
    odds = logits[..., 1] - logits[..., 0]
    keyword = scenes.keyword
    before = ends <= scenes.onset[:, None] + 0.15
    hit = odds.masked_fill(~near(ends, scenes, recipe), float("-inf"))[keyword].topk(2, dim=1).values
    yes = functional.softplus(-hit[hit.isfinite()]).sum() / 2
    refuse = functional.softplus(odds)
    early = (refuse * before)[keyword].sum() / max(1, before.shape[1] // 2)
    no = refuse[~keyword].amax(dim=1).sum() / 2 + refuse[~keyword].mean(dim=1).sum() / 2
    return (yes + early + no) / len(odds)


class Objective(Protocol):
    """What a network is trained for; its ``repr`` tells a checkpoint which objective it was made with."""

    def __call__(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        """The loss, a scalar."""


@dataclass(frozen=True)
class FromLabels:
    """Trains on the scenes' own labels alone."""

    def __call__(self, crnn: CRNN, scenes: Scenes, step: int, recipe: Recipe) -> Tensor:
        logits = crnn(scenes.frames, recipe.window, step)
        return scene_loss(logits, step_ends(recipe.architecture, logits.shape[1], step), scenes, recipe)


class Trainer:
    """Trains a CRNN on scenes and keeps the weights that are best on the validation clips.

    validation: (keyword clips, other clips), each (n, 16000) int16, as Recordings.validation gives them.
    crnn: the network to start from; a new one, with weights drawn from the seed, where None. checkpoint:
    where to save after each epoch.
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
        self.objective = objective or FromLabels()
        # an objective may learn, too: what it needs for training only
        self._aid = self.objective if isinstance(self.objective, nn.Module) else nn.Module()
        torch.manual_seed(recipe.seed)
        self.crnn = crnn or CRNN(recipe.architecture)
        self.averaged = copy.deepcopy(self.crnn)
        self.step = recipe.architecture.stride[1]
        learning = [*self.crnn.parameters(), *(p for p in self._aid.parameters() if p.requires_grad)]
        self.optimizer = torch.optim.Adam(learning, lr=recipe.learning_rate)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, recipe.learning_rate, total_steps=recipe.epochs * recipe.batches, pct_start=0.1
        )
        kernel = recipe.architecture.kernel[1]
        self._validation = [clip_frames(audio, kernel, recipe.window, self.step) for audio in validation]
        self.epoch, self.best = 0, float("inf")
        self.best_weights = copy.deepcopy(self.crnn.state_dict())
        self.history: list[dict[str, Any]] = []
        self.saved = 0  # epochs that the checkpoint holds

    def run(self, report: Callable[[Epoch], None], on_batch: Callable[[], None] = lambda: None) -> None:
        """Train to the last epoch, saving a checkpoint after each, where there is to be one.

        A checkpoint that cannot be written ends nothing; `report` is given the reason.
        """
        while self.epoch < self.recipe.epochs:
            loss = self._train_epoch(on_batch)
            self.epoch += 1
            validation = self.validate()
            best = validation <= self.best
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
        # the epoch's number seeds it: a resumed run draws what an unbroken one would have drawn
        random = np.random.default_rng([self.recipe.seed, self.epoch])
        torch.manual_seed(int(random.integers(2**31)))
        self.pool.move(self.epoch)
        self.crnn.train()
        self.crnn.reset_states()  # and starts as that one would have started
        total = 0.0
        for _ in range(self.recipe.batches):
            scenes = self.pool.batch(self.recipe.batch, random)
            # the user picks the step at run time: hear the words at other steps than the stride, too
            step = (
                self.step
                if random.random() < 0.6
                else int(random.integers(max(1, self.step - 3), self.step + 2))
            )
            loss = self.objective(self.crnn, scenes, step, self.recipe)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self.crnn.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()
            self._average()
            total += loss.item()
            on_batch()
        return total / self.recipe.batches

    def _average(self) -> None:
        """Move the averaged weights towards the trained ones (Polyak 1992), faster at the start."""
        done = self.schedule.last_epoch  # batches, in truth
        decay = min(self.recipe.averaging, done / (done + 9))
        with torch.no_grad():
            for kept, new in zip(self.averaged.parameters(), self.crnn.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)

    def best_crnn(self) -> CRNN:
        """The network as it was after the epoch that was best on validation."""
        self.averaged.load_state_dict(self.best_weights)
        return self.averaged.eval()

    def validate(self) -> float:
        """1 - AUROC on the validation clips, of the averaged weights."""
        keyword, others = (
            clip_scores(self.averaged, f, self.recipe.window, self.step) for f in self._validation
        )
        return one_minus_auroc(keyword, others)

    def save(self, checkpoint: Path) -> None:
        """Write the checkpoint that --resume goes on from. Raises KwsdError where it cannot be written."""
        state = {
            "made_for": self._made_for(),
            "crnn": self.crnn.state_dict(),
            "aid": self._aid.state_dict(),
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
        """Go on from a checkpoint. Raises UsageError where there is none, or of another recipe."""
        state = read_checkpoint(checkpoint, self.recipe)
        if state["made_for"] != self._made_for():
            raise UsageError(
                f"{checkpoint}: made with other options; repeat those, or train without --resume"
            )
        try:
            self.crnn.load_state_dict(state["crnn"])
            self._aid.load_state_dict(state["aid"])
            self.averaged.load_state_dict(state["averaged"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.schedule.load_state_dict(state["schedule"])
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise UsageError(_damaged(checkpoint)) from error
        self.epoch, self.best = state["epoch"], state["best"]
        self.best_weights, self.history = state["best_weights"], state["history"]
        self.saved = self.epoch

    def _made_for(self) -> str:
        return f"{_made_for(self.recipe)}{self.objective!r}"


def read_checkpoint(checkpoint: Path, recipe: Recipe) -> dict[str, Any]:
    """What a checkpoint holds. Nothing in it is run: only tensors and plain values are read.

    Raises UsageError where there is none, it is damaged or it is of another recipe.
    """
    try:
        content = checkpoint.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{checkpoint}: no checkpoint to resume; train without --resume") from None
    except OSError as error:
        raise UsageError(f"cannot read the checkpoint {checkpoint}: {error.strerror}") from error
    try:
        state = torch.load(io.BytesIO(content), weights_only=True)
        made_for, epoch = state["made_for"], state["epoch"]
        fits = isinstance(made_for, str) and isinstance(epoch, int) and state.keys() >= _KEYS
    except Exception as error:  # a damaged archive or pickle raises anything
        raise UsageError(_damaged(checkpoint)) from error
    if not fits:
        raise UsageError(_damaged(checkpoint))
    if not made_for.startswith(_made_for(recipe)):
        raise UsageError(f"{checkpoint}: made with other options; repeat those, or train without --resume")
    return dict(state)


_KEYS = {"crnn", "aid", "averaged", "optimizer", "schedule", "best", "best_weights", "history"}


def _made_for(recipe: Recipe) -> str:
    return f"{recipe!r} "


def _damaged(checkpoint: Path) -> str:
    return f"{checkpoint}: damaged, or no checkpoint of kwsd; remove it and train without --resume"
