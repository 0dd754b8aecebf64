"""What teaching changes in a model, and that recordings are judged by models which do not know them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kwsd.errors import UsageError
from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.runtime.verifier import CONTEXT
from kwsd.training.data.reader import Audio
from kwsd.training.workflows import teach
from kwsd.training.workflows.teach import Adaptation, Example, check_teachable


@pytest.fixture(scope="module")
def model() -> Model:
    return read_model(find_model("happy"))


@pytest.mark.parametrize("count", [3, 23])
def test_every_recording_is_judged_once_by_a_model_that_was_taught_without_it(
    monkeypatch: pytest.MonkeyPatch, model: Model, count: int
) -> None:
    judged: list[int] = []
    known: list[list[int]] = []

    def make_adaptation(*_: object) -> SimpleNamespace:
        return SimpleNamespace(example=lambda take: Example(np.array([take[0]]), 1.0), taught=taught_with)

    def taught_with(examples: list[Example]) -> Model:
        known.append([int(one.windows[0]) for one in examples])
        return replace(model, facts={"knows": known[-1]})

    def hears(one: Model, take: Audio) -> tuple[bool, bool]:
        if "knows" in one.facts:
            judged.append(int(take[0]))
            assert take[0] not in one.facts["knows"]
            return True, take[0] == 0
        return take[0] == 0, False

    monkeypatch.setattr(teach, "Adaptation", make_adaptation)
    monkeypatch.setattr(teach, "hears", hears)
    taught = teach.teach(model, [np.array([number], np.int16) for number in range(count)])
    assert sorted(judged) == list(range(count))
    assert (taught.before, taught.after) == ((1, 0), (count, 1))
    assert taught.model.facts["taught"]["recordings"] == count
    assert known[-1] == list(range(count))  # the model that is written knows all


def test_the_candidate_threshold_is_lowered_where_the_first_stage_does_not_react(model: Model) -> None:
    adaptation = Adaptation(model)
    windows = np.random.default_rng(0).normal(0, 5, (6, CONTEXT, EMBEDDING)).astype(np.float32)

    def threshold(*peaks: float) -> float:
        settings = adaptation.taught([Example(windows, peak) for peak in peaks]).settings
        assert replace(settings, candidate_threshold=model.settings.candidate_threshold) == model.settings
        return settings.candidate_threshold

    assert model.settings.candidate_threshold == 0.02
    assert threshold(0.9, 0.5) == 0.02
    assert threshold(0.9, 0.01) == pytest.approx(0.009)
    assert threshold(0.9, 0.001) == 0.005


def test_too_few_recordings_are_refused_before_the_speech_is_read(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teach, "Reader", None)
    with pytest.raises(UsageError, match="0 recordings of 'happy' are too few"):
        teach.teach_folders(model, [tmp_path], (), [tmp_path], tmp_path / "taught.pt")


def test_a_model_is_taught_once(model: Model) -> None:
    check_teachable(model)
    with pytest.raises(UsageError, match="was taught already"):
        check_teachable(replace(model, facts={"taught": {"recordings": 10}}))
    with pytest.raises(UsageError, match="has no second stage"):
        check_teachable(replace(model, verifier=None))
