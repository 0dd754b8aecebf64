"""A type for options that are numbers."""

import math
from typing import Any

import click

from kwsd.errors import shown


class Number(click.FloatRange):
    """A number in a range. NaN and infinity are refused."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse the number, or fail with a usage error."""
        try:
            number: float = super().convert(value, param, ctx)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail(f"{shown(value)} is not a finite number.", param, ctx)
        return number


POSTERIOR = Number(0.001, 1)  # as kwsd.runtime.model.Settings
