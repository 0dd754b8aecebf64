from pathlib import Path
from typing import Any

import pytest
import torch

from kwsd.errors import UsageError
from kwsd.runtime.model import Architecture
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.pool import ScenePool
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.trainer import Trainer, read_checkpoint
from kwsd.training.nn.crnn import CRNN

SMALL = Architecture(channels=2, kernel=(10, 16), stride=(10, 10), hidden=6)


@pytest.fixture(scope="module")
def toy(tree: Path) -> Recordings:
    return Recordings.read(tree, "rise", (), ())


def trainer(toy: Recordings, checkpoint: Path | None, **recipe: Any) -> Trainer:
    few = Augmentation(first_chunks=1, kept_chunks=2, chunk=64)
    pool = ScenePool(toy.scenes(few), seed=1)
    settings = {"window": 16, "epochs": 3, "batches": 4, "batch": 32, "seed": 1} | recipe
    return Trainer(Recipe(SMALL, **settings, augmentation=few), pool, toy.validation(), checkpoint)


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
    with pytest.raises(UsageError, match="nothing to resume"):
        first.resume(tmp_path / "run.ckpt")
    first.run(lambda _: None)
    with pytest.raises(UsageError, match="other options"):
        trainer(toy, None, epochs=2).resume(tmp_path / "run.ckpt")
    with pytest.raises(UsageError, match="other options"):  # before anything is read
        read_checkpoint(tmp_path / "run.ckpt", Recipe(SMALL))


def test_resume_refuses_a_checkpoint_of_another_version(toy: Recordings, tmp_path: Path) -> None:
    old = {"made_for": "Recipe(architecture=Architecture(channels=2), window=16) LabelLoss()", "epoch": 1}
    torch.save(old, tmp_path / "run.ckpt")
    with pytest.raises(UsageError, match="other options"):
        trainer(toy, None).resume(tmp_path / "run.ckpt")


def test_best_weights_are_those_of_the_best_epoch(toy: Recordings) -> None:
    run = trainer(toy, None, epochs=4, learning_rate=1e-2)
    kept = {}

    def keep(epoch: Any) -> None:
        kept[epoch.number] = {k: v.clone() for k, v in run.averaged.state_dict().items()}

    run.run(keep)
    best = min(run.history[2:], key=lambda epoch: (epoch["validation"], -epoch["epoch"]))
    for name, weight in run.best_crnn().state_dict().items():
        assert torch.equal(weight, kept[best["epoch"]][name])


def test_seed_decides_everything(toy: Recordings) -> None:
    runs = [trainer(toy, None, epochs=1, seed=seed) for seed in (1, 1, 2)]
    for run in runs:
        run.run(lambda _: None)
    assert runs[0].history == runs[1].history != runs[2].history


class Steps:
    """An objective that teaches nothing and keeps the steps that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, crnn: CRNN, scenes: Any, step: int, recipe: Recipe) -> torch.Tensor:  # noqa: ARG002
        self.asked.append(step)
        return crnn.output.bias.sum() * 0


def test_words_are_heard_at_other_steps_than_the_stride_too(toy: Recordings) -> None:
    objective = Steps()
    few = Augmentation(first_chunks=1, kept_chunks=2, chunk=8)
    pool = ScenePool(toy.scenes(few), seed=1)
    recipe = Recipe(SMALL, window=4, epochs=1, batches=400, batch=2, augmentation=few)
    Trainer(recipe, pool, toy.validation(), None, objective).run(lambda _: None)
    assert set(objective.asked) == {7, 8, 9, 10, 11}  # the stride is 10
    assert objective.asked.count(10) / 400 == pytest.approx(0.6 + 0.4 / 5, abs=0.07)


def test_what_is_kept_is_the_running_mean_of_the_weights(toy: Recordings) -> None:
    run = trainer(toy, None, averaging=0.9)
    with torch.no_grad():
        run.crnn.output.bias.fill_(1.0)
        for done, decay in ((1, 0.1), (9, 0.5), (1_000, 0.9)):  # faster at the start
            run.averaged.output.bias.fill_(0.0)
            run.schedule.last_epoch = done
            run._average()
            assert run.averaged.output.bias.tolist() == pytest.approx([1 - decay] * 2)


def test_the_last_of_equally_good_epochs_of_the_second_half_is_kept(
    toy: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(toy, None, epochs=6)
    quality = iter((0.5, 0.1, 0.1, 0.2, 0.2, 0.3))
    monkeypatch.setattr(run, "validate", lambda: next(quality))
    best = []
    run.run(lambda epoch: best.append(epoch.best))
    assert best == [False, False, False, True, True, False]
    assert run.best == 0.2


def test_validation_is_on_the_averaged_weights(toy: Recordings) -> None:
    run = trainer(toy, None)
    before = run.validate()
    with torch.no_grad():
        run.crnn.output.weight.mul_(-1)
    assert run.validate() == before
    with torch.no_grad():
        run.averaged.output.weight.mul_(-1)
        run.averaged.output.bias.mul_(-1)
    assert run.validate() != before


def test_training_moves_no_weight_by_more_than_a_clipped_gradient_can(toy: Recordings) -> None:
    class Steep:
        def __call__(self, crnn: CRNN, *_: Any) -> torch.Tensor:
            return 1e6 * crnn.output.bias.sum()

    norms = []
    run = trainer(toy, None, epochs=1, batches=2)
    run.objective = Steep()  # type: ignore[assignment]
    run.optimizer.register_step_pre_hook(
        lambda optimizer, *_: norms.append(
            max(
                p.grad.norm().item()
                for group in optimizer.param_groups
                for p in group["params"]
                if p.grad is not None
            )
        )
    )
    run.run(lambda _: None)
    assert norms == pytest.approx([1.0, 1.0], rel=1e-3)
