"""The search for the best distillation: what is tried, and what it is judged by."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kwsd.errors import UsageError
from kwsd.runtime.model import STUDENT, Architecture
from kwsd.training.fit import search
from kwsd.training.fit.losses import DistillationLoss
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.search import (
    ALPHAS,
    TEMPERATURES,
    evaluator,
    finished,
    open_study,
    run_trial,
    suggested_architecture,
)


def test_a_grid_tries_every_pair_once_with_the_window_given(tmp_path: Path) -> None:
    seen: list[tuple[Architecture, int, float, float]] = []

    def evaluate(architecture: Architecture, window: int, loss: DistillationLoss) -> float:
        seen.append((architecture, window, loss.temperature, loss.alpha))
        return 0.1

    study = open_study(str(tmp_path / "grid.journal"), "grid", False)
    study.optimize(lambda trial: run_trial(trial, STUDENT, 17, evaluate), n_trials=20)
    assert {(t, a) for _, _, t, a in seen} == {(t, a) for t in TEMPERATURES for a in ALPHAS}
    assert len(seen) == len(finished(study)) == 20
    assert {(architecture, window) for architecture, window, _, _ in seen} == {(STUDENT, 17)}


def test_a_search_tries_architectures_with_a_window_of_1_6_s(tmp_path: Path) -> None:
    seen: list[tuple[Architecture, int]] = []

    def evaluate(architecture: Architecture, window: int, _: DistillationLoss) -> float:
        seen.append((architecture, window))
        return 0.1

    study = open_study(str(tmp_path / "search.journal"), "search", True)
    study.optimize(lambda trial: run_trial(trial, STUDENT, 17, evaluate), n_trials=5)
    for (architecture, window), trial in zip(seen, finished(study), strict=True):
        assert window == round(160 / architecture.stride[1])
        steps_a_second = 100 / architecture.stride[1]
        assert trial.values == [
            0.1,
            pytest.approx(search.macs_per_second(architecture, architecture.stride[1])),
        ]
        assert trial.values[1] < 1e4 * 100 * steps_a_second


@pytest.mark.parametrize(
    "where", ["no-such/s.journal", "sqlite:////proc/nope/s.db", "nosuch://jane:secret@host/db"]
)
def test_a_place_that_keeps_no_search_is_one_line(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot keep the search in ") as error:
        open_study(where, "grid", False)
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_architectures_are_of_a_students_size() -> None:
    class Trial:
        def suggest_int(self, name: str, low: int, high: int, step: int = 1) -> int:  # noqa: ARG002
            return high

    assert suggested_architecture(Trial()) == Architecture(8, (13, 28), (6, 20), 32)  # type: ignore[arg-type]


def test_a_students_quality_is_the_mean_of_its_last_three_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    class Trainer:
        def __init__(self, recipe: Any, *_: Any) -> None:
            assert (recipe.epochs, recipe.window, recipe.seed) == (5, 9, 4)
            self.history = [{"validation": value} for value in (9.0, 8.0, 0.1, 0.2, 0.6)]

        def run(self, _: Any) -> None:
            pass

    monkeypatch.setattr(search, "Trainer", Trainer)
    recordings = SimpleNamespace(validation=lambda: ())
    quality = evaluator(recordings, None, Recipe(STUDENT, epochs=5, seed=4))(STUDENT, 9, DistillationLoss())  # type: ignore[arg-type]
    assert quality == pytest.approx(0.3)
