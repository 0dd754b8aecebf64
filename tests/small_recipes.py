"""Small recipes for the commands that train."""

from dataclasses import replace
from typing import Any

import pytest

from kwsd.training.fit import recipe
from kwsd.training.fit.recipe import Recipe


def make_recipes_small(
    patch: pytest.MonkeyPatch,
    augmentation: dict[str, Any],
    teaching: dict[str, Any] | None = None,
    **values: Any,
) -> None:
    """Change these values in every recipe that a command makes."""

    def small(*args: Any, **given: Any) -> Recipe:
        made = Recipe(*args, **(values | given))
        teacher = made.teaching and replace(made.teaching, **(teaching or {}))
        return replace(made, augmentation=replace(made.augmentation, **augmentation), teaching=teacher)

    patch.setattr(recipe, "Recipe", small)
