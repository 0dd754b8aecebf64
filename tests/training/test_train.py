from pathlib import Path
from typing import Any

import pytest
import torch

from kwsd.errors import UsageError
from kwsd.runtime.model import Architecture
from kwsd.training.pool import ScenePool
from kwsd.training.recordings import Recordings
from kwsd.training.train import Recipe, Trainer

SMALL = Architecture(channels=2, kernel=(10, 16), stride=(10, 10), hidden=6)


@pytest.fixture(scope="module")
def toy(tree: Path) -> Recordings:
    return Recordings.read(tree, "rise", (), ())


def trainer(toy: Recordings, checkpoint: Path | None, **recipe: Any) -> Trainer:
    pool = ScenePool(toy.scenes(), seed=1, first=1, limit=2, chunk=64)
    settings = {"window": 16, "epochs": 3, "batches": 4, "batch": 32, "seed": 1} | recipe
    return Trainer(Recipe(SMALL, **settings), pool, toy.validation(), checkpoint)


def test_resume_equals_an_unbroken_run(toy: Recordings, tmp_path: Path) -> None:
    whole = trainer(toy, None)
    whole.run(lambda _: None)

    class InterruptedRunError(Exception):
        pass

    def interrupt(epoch: Any) -> None:
        if epoch.number == 2:
            raise InterruptedRunError

    broken = trainer(toy, tmp_path / "run.ckpt")
    with pytest.raises(InterruptedRunError):
        broken.run(interrupt)
    resumed = trainer(toy, tmp_path / "run.ckpt")
    resumed.resume(tmp_path / "run.ckpt")
    resumed.run(lambda _: None)
    assert resumed.history == whole.history
    for name, weight in whole.crnn.state_dict().items():
        assert torch.equal(weight, resumed.crnn.state_dict()[name])
    for name, weight in whole.best_crnn().state_dict().items():
        assert torch.equal(weight, resumed.best_crnn().state_dict()[name])


def test_resume_refuses_another_recipe(toy: Recordings, tmp_path: Path) -> None:
    first = trainer(toy, tmp_path / "run.ckpt", epochs=1)
    with pytest.raises(UsageError, match="no checkpoint"):
        first.resume(tmp_path / "run.ckpt")
    first.run(lambda _: None)
    with pytest.raises(UsageError, match="other options"):
        trainer(toy, None, epochs=2).resume(tmp_path / "run.ckpt")


def test_best_weights_are_those_of_the_best_epoch(toy: Recordings) -> None:
    run = trainer(toy, None, epochs=4, learning_rate=1e-2)
    kept = {}

    def keep(epoch: Any) -> None:
        kept[epoch.number] = {k: v.clone() for k, v in run.averaged.state_dict().items()}

    run.run(keep)
    best = min(run.history, key=lambda epoch: (epoch["validation"], -epoch["epoch"]))
    for name, weight in run.best_crnn().state_dict().items():
        assert torch.equal(weight, kept[best["epoch"]][name])


def test_seed_decides_everything(toy: Recordings) -> None:
    runs = [trainer(toy, None, epochs=1, seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        run.run(lambda _: None)
    assert runs[0].history == runs[1].history != runs[2].history
