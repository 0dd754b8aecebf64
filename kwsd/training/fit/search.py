"""Searches for the best distillation with Optuna: over temperature and alpha, and perhaps architectures.

A study is stored in a file (Optuna's journal) or a database, so that a search can be resumed and several
processes or machines can share it.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Architecture
from kwsd.training.augment.pool import ScenePool
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.losses import DistillationLoss
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.trainer import Trainer
from kwsd.training.nn.macs import macs_per_second

TEMPERATURES = (1.0, 2.0, 4.0, 8.0)
ALPHAS = (0.1, 0.3, 0.5, 0.7, 0.9)
ATTENTION_SECONDS = 1.6  # length of the attention window, at every stride

# from (architecture, window, loss) to 1 - AUROC on the validation clips
Evaluate = Callable[[Architecture, int, DistillationLoss], float]


def storage(where: str) -> BaseStorage:
    """A database by its URL (sqlite:///, postgresql://, mysql://), or a journal file by its path."""
    if "://" in where:
        return RDBStorage(where)
    # Optuna's default lock is a symbolic link, which Windows lets only some users create
    lock = JournalFileOpenLock(where) if sys.platform == "win32" else None
    return JournalStorage(JournalFileBackend(where, lock))


def open_study(where: str, name: str, search: bool) -> optuna.Study:
    """Create or open the study. A grid minimizes 1 - AUROC, a search also MACs per second of audio.

    Raises UsageError if the file or database cannot be used.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    grid = {"temperature": TEMPERATURES, "alpha": ALPHAS}
    try:
        return optuna.create_study(
            storage=storage(where),
            study_name=name,
            load_if_exists=True,
            sampler=optuna.samplers.TPESampler() if search else optuna.samplers.GridSampler(grid),
            directions=["minimize", "minimize"] if search else ["minimize"],
        )
    except Exception as error:  # optuna's, SQLAlchemy's, a database driver's
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UsageError(f"cannot keep the search in {without_password(where)}: {reason}") from error


def without_password(url: str) -> str:
    """The URL of a database without its password, for a message. A path is not changed."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:...@", url)


def run_trial(trial: optuna.Trial, architecture: Architecture, window: int, evaluate: Evaluate) -> Any:
    """Run one trial with the given architecture or, in a search of architectures, with a random one."""
    searching = len(trial.study.directions) > 1
    loss = DistillationLoss(
        temperature=trial.suggest_categorical("temperature", TEMPERATURES),
        alpha=trial.suggest_categorical("alpha", ALPHAS),
    )
    if searching:
        architecture = suggested_architecture(trial)
        window = round(ATTENTION_SECONDS * SAMPLE_RATE / HOP / architecture.stride[1])
    quality = evaluate(architecture, window, loss)
    return (quality, macs_per_second(architecture, architecture.stride[1])) if searching else quality


def suggested_architecture(trial: optuna.Trial) -> Architecture:
    """An architecture of about a student's size, suggested by Optuna."""
    return Architecture(
        channels=trial.suggest_int("channels", 2, 8),
        kernel=(
            trial.suggest_int("kernel_bands", 5, 13, step=2),
            trial.suggest_int("kernel_frames", 12, 28, step=4),
        ),
        stride=(trial.suggest_int("stride_bands", 2, 6), trial.suggest_int("stride_frames", 8, 20, step=2)),
        hidden=trial.suggest_int("hidden", 10, 32, step=2),
    )


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that all processes have finished so far."""
    return study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])


def evaluator(recordings: Recordings, pool: ScenePool, recipe: Recipe) -> Evaluate:
    """A function that trains a student on the pool, with its own architecture and window.

    It returns 1 - AUROC on the validation clips, averaged over the last three epochs.
    """
    validation = recordings.validation()

    def evaluate(architecture: Architecture, window: int, loss: DistillationLoss) -> float:
        tried = replace(recipe, architecture=architecture, window=window)
        trainer = Trainer(tried, pool, validation, None, loss)
        trainer.run(lambda _: None)
        return float(np.mean([epoch["validation"] for epoch in trainer.history[-3:]]))

    return evaluate
