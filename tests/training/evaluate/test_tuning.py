"""Settings are chosen by the curve."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from evaluation import LOUD, POINTS, burst, negative, placed, points_of

from kwsd.cli.commands import cli
from kwsd.errors import KwsdError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model
from kwsd.training.evaluate.tuning import allowed, settings_to_try, tune
from kwsd.training.release.modelfile import write_settings


def test_tuning_finds_settings_within_the_false_alarms_allowed(model: Model, tmp_path: Path) -> None:
    positives = [placed(level) for level in (0.1, 0.2, 0.3)]
    negatives = [negative(burst(0.002))] * 3
    settings, point = tune(model, positives, negatives, settings_to_try(model), 0.0)
    assert point.missed == 0
    assert point.false_alarms == 0
    out = tmp_path / "tuned.pt"
    write_settings(LOUD, settings, out)
    tuned = read_model(out)
    assert tuned.settings == settings
    assert all(np.array_equal(tuned.weights[name], weight) for name, weight in model.weights.items())


def test_with_a_verifier_only_steps_are_tried_and_with_synthetic_voices_the_closer_one(model: Model) -> None:
    verified = replace(model, verifier={"mel": np.zeros(1, np.float32)})
    own, smaller = model.settings, model.settings.override(step=model.settings.step - 2)
    assert settings_to_try(verified) == [own, smaller]
    assert settings_to_try(verified, synthetic=True) == [smaller]


def test_a_model_whose_window_is_one_step_is_tuned_with_that(model: Model) -> None:
    narrow = replace(model, settings=model.settings.override(window=1))
    assert {settings.window for settings in settings_to_try(narrow)} == {1}


def test_tuning_is_as_quiet_as_it_can_be_where_that_is_not_quiet_enough(model: Model) -> None:
    _, point = tune(model, [placed(0.01)], [negative(burst(0.5))], settings_to_try(model), 0.0)
    assert (point.missed, point.false_alarms) == (0, 1)


def test_the_tune_command_then_writes_nothing(tmp_path: Path) -> None:
    command = ["tune", "--model", str(LOUD), "--fa-per-hour", "1", "--out", str(tmp_path / "tuned.pt")]
    for option, level in (("--positives", 0.01), ("--negatives", 0.5)):
        folder = tmp_path / option
        folder.mkdir()
        soundfile.write(folder / "a.wav", burst(level), SAMPLE_RATE)
        command += [option, str(folder)]
    with pytest.raises(KwsdError, match=r"at 1 false alarms per hour; allow 3.6e\+03"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert not (tmp_path / "tuned.pt").exists()


@pytest.mark.parametrize(("allowed_per_hour", "threshold"), [(1.5, 0.3), (1.0, 0.7), (0.5, 0.7), (0.0, 0.9)])
def test_tuning_takes_the_fewest_misses_within_the_false_alarms(
    model: Model, monkeypatch: pytest.MonkeyPatch, allowed_per_hour: float, threshold: float
) -> None:
    monkeypatch.setattr("kwsd.training.evaluate.tuning.curve", lambda *_: points_of(*POINTS))
    settings, point = tune(model, [], [], [model.settings.override(patience=2)], allowed_per_hour)
    assert (settings.threshold, point.threshold, settings.patience) == (threshold, threshold, 2)
    assert settings.release == min(threshold, model.settings.release)


@pytest.mark.parametrize(("first", "second"), [((2, 0.1), (1, 0.3)), ((1, 0.3), (1, 0.2))])
def test_of_equal_misses_tuning_takes_the_fewest_false_alarms_and_then_the_quickest(
    model: Model, monkeypatch: pytest.MonkeyPatch, first: tuple[int, float], second: tuple[int, float]
) -> None:
    points = points_of((0.5, 1, *first), (0.7, 1, *second))
    monkeypatch.setattr("kwsd.training.evaluate.tuning.curve", lambda *_: points)
    assert tune(model, [], [], [model.settings], 1.0)[1].threshold == 0.7


def test_tuning_never_takes_a_threshold_that_hears_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kwsd.training.evaluate.tuning.curve", lambda *_: points_of((0.5, 1, 9, 0.1), (0.9, 10, 0, 0.0))
    )
    assert tune(model, [], [], [model.settings], 0.0)[1].threshold == 0.5
    monkeypatch.setattr("kwsd.training.evaluate.tuning.curve", lambda *_: points_of((0.9, 10, 0, 0.0)))
    with pytest.raises(KwsdError, match="no threshold detects the keyword"):
        tune(model, [], [], [model.settings], 0.0)


@pytest.mark.parametrize(
    ("per_hour", "hours", "count"),
    [(0.5, 2.0, 1), (0.5, 0.9, 0), (0.5, 1.1, 1), (0.5, 10.0, 5), (0.0, 9.0, 0)],
)
def test_false_alarms_allowed_are_those_expected(per_hour: float, hours: float, count: int) -> None:
    assert allowed(per_hour, hours) == count


def test_windows_steps_and_patience_are_tried(model: Model) -> None:
    own = model.settings
    choices = settings_to_try(model)
    assert {choice.window for choice in choices} == {own.window, own.window * 3 // 4}
    assert {choice.step for choice in choices} == {own.step, own.step - 2}
    assert {choice.patience for choice in choices} == {1, 2, 3}
    assert len(choices) == 12
