"""When a spotter's steps make a trigger."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kwsd.runtime.modelfile import read_model
from kwsd.runtime.spotter import Spotter, Step, TriggerRule
from kwsd.runtime.verifier import shapes

LOUD = read_model(Path(__file__).parents[1] / "loud.pt")
VERIFIED = replace(LOUD, verifier={name: np.zeros(shape, np.float32) for name, shape in shapes(1).items()})


@pytest.mark.parametrize(("threshold", "fires"), [(0.6, [1.2, 1.3]), (0.95, [])])
def test_with_a_second_stage_its_posterior_must_reach_the_threshold(
    threshold: float, fires: list[float]
) -> None:
    rule = TriggerRule(VERIFIED, LOUD.settings.override(threshold=threshold))
    steps = [Step(t, 0.9, True, None, v) for t, v in ((1.0, None), (1.1, 0.3), (1.2, 0.6), (1.3, 0.9))]
    assert [step.time for step in steps if rule.push(step)] == fires


def test_without_a_second_stage_the_debouncer_must_fire() -> None:
    rule = TriggerRule(LOUD, LOUD.settings.override(threshold=0.6, patience=2))
    steps = [Step(float(t), p, t > 0, None) for t, p in enumerate((0.9, 0.9, 0.5, 0.6, 0.7, 0.9))]
    assert [step.time for step in steps if rule.push(step)] == [4.0]


def test_a_threshold_that_is_lowered_and_raised_again_leaves_all_as_it_was() -> None:
    spotter = Spotter(LOUD, LOUD.settings.override(threshold=0.6, release=0.3), None)
    before = spotter.settings
    spotter.change_threshold(0.1)
    assert (spotter.settings.threshold, spotter.settings.release) == (0.1, 0.1)
    spotter.change_threshold(0.6)
    assert spotter.settings == before
