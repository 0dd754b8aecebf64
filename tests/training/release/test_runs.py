"""Recorded runs are read back; anything else is refused with the number of its line."""

import json
import re
from pathlib import Path

import pytest

from kwsd.errors import UsageError
from kwsd.training.release.runs import add_run, read_runs

JUDGED = {"one_minus_auroc": 0.01, "au_fa_fr_speech_commands": 1e-4}
RUN = {
    "kind": "train",
    "name": "bed",
    "config": {},
    "cost": {"parameters": 10, "macs_per_second": 20.0, "weight_bytes": 40, "file_bytes": 80},
    "metrics": {"validation": JUDGED, "dev-test": JUDGED},
}


def test_runs_are_read_in_the_order_in_which_they_were_added(tmp_path: Path) -> None:
    runs = [RUN, RUN | {"name": "bird"}]
    for run in runs:
        add_run(tmp_path / "runs.jsonl", run)
    assert list(read_runs(tmp_path / "runs.jsonl")) == runs


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\xff", "line 2: not JSON"),
        (b"[1]", "line 2: not a run that kwsd recorded"),
        (b'{"kind": "lunch"}', "line 2: not a run that kwsd recorded"),
        (b'{"kind": "grid"}', "line 2: the run has no params.temperature"),
        (b'{"kind": "train", "name": "a"}', "line 2: the run has no config"),
    ],
)
def test_a_line_that_is_not_a_run_is_named(tmp_path: Path, line: bytes, says: str) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_bytes(json.dumps(RUN).encode() + b"\n" + line + b"\n")
    with pytest.raises(UsageError, match=re.escape(says)):
        list(read_runs(path))
