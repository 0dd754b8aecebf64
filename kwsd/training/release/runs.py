"""Recorded runs: a file with a line of JSON per run, with its configuration, metrics and duration."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kwsd.errors import KwsdError, UsageError


def add_run(path: Path, run: dict[str, Any]) -> None:
    """Append a run to the file. Raises KwsdError if that fails."""
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(run) + "\n")
    except OSError as error:
        raise KwsdError(f"cannot add the run to {path}: {error.strerror}") from error


_MODEL_FIELDS = (
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
# Fields of each kind of run that the report needs; a dot separates the names of nested objects
_FIELDS = {
    **dict.fromkeys(("train", "new", "distill", "quantize", "qat", "prune"), _MODEL_FIELDS),
    "compare": ("model", "way", "one_minus_auroc.validation", "one_minus_auroc.dev-test"),
    "grid": ("params.temperature", "params.alpha", "values", "epochs"),
    "search": ("values", "epochs"),
}


def read_runs(path: Path) -> Iterator[dict[str, Any]]:
    """The runs of a file, oldest first. Raises UsageError with the line's number if one is not a run."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise UsageError(
            f"{path}: no such file; kwsd train, distill, quantize and prune write it with --record"
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, 1):
        try:
            run = json.loads(line)
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(run, dict) or run.get("kind") not in _FIELDS:
            raise UsageError(f"{path}, line {number}: not a run that kwsd recorded")
        for name in _FIELDS[run["kind"]]:
            found: Any = run
            for key in name.split("."):
                found = found.get(key) if isinstance(found, dict) else None
            if found is None:
                raise UsageError(f"{path}, line {number}: the run has no {name}")
        yield run
