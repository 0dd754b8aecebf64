"""The report: its conclusion, its short table, and the published models in both."""

from pathlib import Path
from typing import Any

import pytest

from kwsd.training.report.conclusion import conclusion, dominates
from kwsd.training.report.plots import pareto_front
from kwsd.training.report.published import Published
from kwsd.training.report.report import write_report
from kwsd.training.report.results import Result, results_of


def run(name: str, area: float, macs: float = 1_000.0, weight_bytes: int = 1_000) -> dict[str, Any]:
    """A recorded run, with an au_fa_fr on dev-test."""
    cost = {"parameters": 9, "macs_per_second": macs, "weight_bytes": weight_bytes, "file_bytes": 9}
    judged = {"one_minus_auroc": area * 40, "au_fa_fr_speech_commands": area}
    metrics = {"validation": judged, "dev-test": judged}
    return {"kind": "train", "name": name, "config": {}, "cost": cost, "metrics": metrics}


RUNS = [
    run("teacher-0", 1e-5),
    run("teacher-1", 2e-5),
    run("small-0", 4e-5, 50.0, 20),
    run("small-1", 6e-5, 50.0, 20),
    run("tiny-0", 9e-5, 10.0, 10),
]


def test_the_report_opens_with_its_conclusion(tmp_path: Path) -> None:
    write_report(RUNS, tmp_path / "report.md")
    first = (tmp_path / "report.md").read_text().split("\n\n")[1]
    assert first == (
        "**The area under FR over FA of teacher is 1.4 times that of the best published baseline "
        "(1.50e-05 and 1.10e-05).** Within the task's limit of 5.5e-05: small. The smallest of those, small, "
        "needs 20.0 times fewer multiply-adds and 50.0 times fewer bytes than the teacher (5.00e-05, mean of "
        "2 seeds). Of the 5 published compressed models, 2 are each beaten by one model in cost and "
        "quality at once."
    )


def test_the_first_table_has_the_published_models(tmp_path: Path) -> None:
    write_report(RUNS, tmp_path / "report.md")
    models = (tmp_path / "report.md").read_text().split("## ")[1]
    assert "| teacher | 1.0 | 1.0 | 1.50e-05 (1.0e-05 to 2.0e-05) |" in models
    assert "| tiny | 100.0 | 100.0 | 9.00e-05 |" in models
    assert "| *original experiment, distilled* | 8.5 | 10.1 | 5.30e-05 |" in models
    source = "https://github.com/erasedwalt/kws-hw"
    assert f"| *[fewest multiply-adds]({source})* | 14.18 | 27.1 | 5.21e-05 |" in models


def test_nothing_within_the_limit_is_said() -> None:
    teacher, results = results_of([RUNS[0], RUNS[-1]])
    said = conclusion(teacher, results)
    assert "No compressed model stays within the task's limit of 5.5e-05; the best is tiny (9.00e-05" in said
    assert "0 are each beaten" in said


def test_the_dearest_model_is_the_teacher_if_none_has_the_name() -> None:
    teacher, _ = results_of([run("cheap-0", 1e-5, macs=10.0), run("bed-0", 1e-5)])
    assert teacher.name == "bed"


@pytest.mark.parametrize(
    ("macs", "weight_bytes", "area", "beaten"),
    [
        (10, 10, 4.9e-5, True),
        (10, 10, 5.1e-5, False),  # worse
        (9, 10, 4.9e-5, False),  # dearer
        (10, 9, 4.9e-5, False),  # larger
    ],
)
def test_what_dominates(macs: float, weight_bytes: float, area: float, beaten: bool) -> None:
    ours = Result("ours", [run("ours-0", area)], macs, weight_bytes)
    assert dominates(ours, Published("theirs", 10, 10, 5e-5)) is beaten


def test_the_front_has_the_least_area_of_all_that_are_at_least_as_cheap() -> None:
    assert pareto_front([(10, 4.0), (1, 5.0), (4, 3.0), (20, 9.0)]) == [
        (1, 3.0),
        (4, 3.0),
        (10, 4.0),
        (20, 9.0),
    ]
