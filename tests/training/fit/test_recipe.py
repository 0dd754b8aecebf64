"""Recipes: what is out of range is named, and everything is in the facts."""

from dataclasses import fields
from typing import Any

import pytest

from kwsd.errors import UsageError
from kwsd.runtime.model import STUDENT
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.fit.recipe import Recipe, Teaching


@pytest.mark.parametrize(
    ("record", "value", "says"),
    [
        (Augmentation, {"keyword_share": 1.0}, "keyword share must be a number from 0.01 to 0.99, not 1.0"),
        (Augmentation, {"noisy": float("nan")}, "noisy must be a number from 0 to 1, not nan"),
        (Augmentation, {"tempo": 1.1}, "tempo must be a pair, (lowest, highest), not 1.1"),
        (Augmentation, {"tempo": (1.2, 0.8)}, "tempo: the lowest value, 1.2, is above the highest, 0.8"),
        (Augmentation, {"melody": (0.3, 1.2)}, "melody must be a number from 0 to 1.13, not 1.2"),
        (Augmentation, {"chunk": 0.5}, "chunk must be a whole number from 1 to 1,000,000, not 0.5"),
        (Teaching, {"heads": 0}, "heads must be a whole number from 1 to 100, not 0"),
        (Teaching, {"temperature": 0}, "temperature must be a number from 0.1 to 100, not 0"),
    ],
)
def test_a_value_out_of_its_limits_is_named(record: Any, value: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as error:
        record(**value)
    assert str(error.value) == says


@pytest.mark.parametrize("record", [Augmentation, Teaching, Recipe])
def test_every_number_of_a_recipe_has_limits(record: Any) -> None:
    free = {each.name for each in fields(record) if "limits" not in each.metadata}
    switches = {"second_stage", "tune_embedding", "new_examples"}
    assert free <= {"architecture", "augmentation", "teaching", *switches}


def test_the_facts_are_everything_but_the_architecture() -> None:
    recipe = Recipe(STUDENT, augmentation=Augmentation(noisy=0.5), teaching=Teaching(heads=2))
    facts = recipe.facts()
    assert facts.keys() == {each.name for each in fields(Recipe)} - {"architecture"}
    assert facts["augmentation"]["noisy"] == 0.5
    assert facts["teaching"]["heads"] == 2
    assert "teaching" not in Recipe(STUDENT).facts()


def test_words_of_synthetic_voices_are_changed_and_the_embedding_is_not() -> None:
    assert Augmentation.for_synthetic_voices().narrow > 0
    assert not Teaching.for_synthetic_voices().tune_embedding
    assert Teaching.for_synthetic_voices().second_stage
    assert not Teaching.without_second_stage().second_stage
