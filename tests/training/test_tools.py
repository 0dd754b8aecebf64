"""What the tools record and refuse."""

import runpy
from argparse import Namespace
from pathlib import Path

import pytest

from kwsd.errors import UsageError

TOOLS = Path(__file__).parents[2] / "tools"


def test_the_record_of_a_small_network_has_both_commands_that_made_it() -> None:
    command_lines = runpy.run_path(str(TOOLS / "train_students.py"))["command_lines"]
    given = Namespace(
        network="nano",
        seed=1,
        batches=10_000,
        rate=2e-3,
        start="folder/nano.pt",
        bits=4,
        second_stage="folder/heads.pt",
    )
    options = "nano --seed 1 --batches 10000 --rate 0.002 --start nano.pt"
    assert command_lines(given) == (
        f"python tools/train_students.py train EXAMPLES {options}; "
        f"python tools/train_students.py release WEIGHTS {options} --bits 4 --second-stage heads.pt"
    )


def test_unlike_teachers_are_refused_before_examples_are_made() -> None:
    make_examples = runpy.run_path(str(TOOLS / "train_students.py"))["make_examples"]
    with pytest.raises(UsageError, match="differ in keyword or architecture"):
        make_examples(Namespace(teacher="teacher", heads="student", keyword="happy"))
