"""Recorded runs: one JSON line each, with configuration, seed, metrics and wall time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kwsd.errors import UsageError


def record(path: Path, run: dict[str, Any]) -> None:
    """Append a run to the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(run) + "\n")


def recorded(path: Path) -> Iterator[dict[str, Any]]:
    """The runs of a file, oldest first. Raises UsageError, naming the line, for what is no run."""
    if not path.exists():
        raise UsageError(f"{path}: no such file; kwsd train, distill, quantize and prune --record write it")
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            run = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(run, dict) or "kind" not in run:
            raise UsageError(f"{path}, line {number}: not a recorded run")
        yield run
