"""What the runs of a model say of it: its cost beside the teacher's, and its quality over the seeds."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

Run = dict[str, Any]

TEACHER = "teacher"  # the model that costs are divided by, if there is one of this name


@dataclass(frozen=True)
class Result:
    """A model, and all runs that made it with different seeds.

    macs, weight_bytes: how many times fewer multiply-adds and bytes of weights it has than the teacher.
    """

    name: str
    runs: list[Run]
    macs: float
    weight_bytes: float

    @property
    def areas(self) -> list[float]:
        """au_fa_fr of each run on dev-test, at the balance of Speech Commands."""
        return [float(run["metrics"]["dev-test"]["au_fa_fr_speech_commands"]) for run in self.runs]

    @property
    def area(self) -> float:
        """Their mean."""
        return float(np.mean(self.areas))

    @property
    def bits(self) -> int:
        """Bits of its weights."""
        return int(self.runs[0]["config"].get("bits", 32))


def results_of(runs: Iterable[Run]) -> tuple[Result, list[Result]]:
    """The teacher, and all models in the order of their first run.

    The teacher is the most expensive model if none has that name. Raises ValueError if there are no runs.
    """
    groups = grouped(runs)
    dearest = max(groups, key=lambda name: float(groups[name][0]["cost"]["macs_per_second"]))
    teacher = TEACHER if TEACHER in groups else dearest
    base = groups[teacher][0]["cost"]
    results = [
        Result(
            name,
            same,
            base["macs_per_second"] / same[0]["cost"]["macs_per_second"],
            base["weight_bytes"] / same[0]["cost"]["weight_bytes"],
        )
        for name, same in groups.items()
    ]
    return next(result for result in results if result.name == teacher), results


def grouped(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by their name without the seed (``student-2``). A repeated run counts once."""
    groups = defaultdict(list)
    for run in {run["name"]: run for run in runs}.values():
        groups[re.sub(r"-\d+$", "", run["name"])].append(run)
    return dict(groups)
