"""Recorded runs: one JSON line each, with configuration, seed, metrics and wall time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kwsd.errors import KwsdError, UsageError


def record(path: Path, run: dict[str, Any]) -> None:
    """Append a run to the file. Raises KwsdError where that cannot be."""
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(run) + "\n")
    except OSError as error:
        raise KwsdError(f"cannot add the run to {path}: {error.strerror}") from error


# what the report takes of each kind of run
_OF_A_MODEL = (
    "name",
    "config",
    "cost.parameters",
    "cost.macs_per_second",
    "cost.weight_bytes",
    "cost.file_bytes",
    "metrics.validation.one_minus_auroc",
    "metrics.dev-test.one_minus_auroc",
    "metrics.dev-test.au_fa_fr_speech_commands",
)
_NEEDED = {
    **dict.fromkeys(("train", "new", "distill", "quantize", "qat", "prune"), _OF_A_MODEL),
    "compare": ("model", "way", "one_minus_auroc.validation", "one_minus_auroc.dev-test"),
    "grid": ("params.temperature", "params.alpha", "values", "epochs"),
    "search": ("values", "epochs"),
}


def recorded(path: Path) -> Iterator[dict[str, Any]]:
    """The runs of a file, oldest first. Raises UsageError, naming the line, for what is no run."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise UsageError(
            f"{path}: no such file; kwsd train, distill, quantize and prune --record write it"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            run = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(run, dict) or run.get("kind") not in _NEEDED:
            raise UsageError(f"{path}, line {number}: not a recorded run")
        for name in _NEEDED[run["kind"]]:
            found: Any = run
            for key in name.split("."):
                found = found.get(key) if isinstance(found, dict) else None
            if found is None:
                raise UsageError(f"{path}, line {number}: a recorded run without {name}")
        yield run
