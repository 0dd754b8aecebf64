"""Generated pages contain facts only; hand-written notes are kept in files beside them and survive."""

import re
from pathlib import Path
from typing import Any

import pytest

from kwsd.errors import UsageError
from kwsd.runtime.modelfile import read_model
from kwsd.training.release.card import card
from kwsd.training.release.notes import notes_beside
from kwsd.training.release.runs import read_runs
from kwsd.training.report.report import with_notes, write_report

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "models").glob("*.pt"))
ROW = re.compile(
    r"\| ([\w-]+) \| (\d+) \+ (\d+) \| (\S+) \((\S+) to (\S+)\) \| (\S+) \| (\S+) \| (\S+)% \| (\S+)% \|"
)


def metrics_of(text: str) -> dict[str, Any]:
    """The metrics that a card prints."""
    return {
        row[0]: {
            "clips": [int(row[1]), int(row[2])],
            "one_minus_auroc": float(row[3]),
            "one_minus_auroc_95": [float(row[4]), float(row[5])],
            "au_fa_fr": float(row[6]),
            "au_fa_fr_speech_commands": float(row[7]),
            "frr_at_fa_1_percent": float(row[8]) / 100,
            "frr_at_fa_0.1_percent": float(row[9]) / 100,
        }
        for row in ROW.findall(text)
    }


@pytest.mark.parametrize("model", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_models_card_is_what_is_generated_with_its_notes(model: Path) -> None:
    text = model.with_suffix(".md").read_text()
    assert notes_beside(model)
    assert card(model, metrics_of(text), read_model(model).facts) == text


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        (
            "student",
            "The weights are those of the end of training; the threshold was inherited with the second",
        ),
        ("teacher", "Validation chose the epoch and the threshold."),
    ],
)
def test_a_card_says_how_epoch_and_threshold_were_chosen(name: str, chosen: str) -> None:
    model = ROOT / "models" / f"{name}.pt"
    assert chosen in card(model, {}, read_model(model).facts)


def test_the_shipped_report_is_what_is_generated_with_its_notes(tmp_path: Path) -> None:
    notes = (ROOT / "results" / "report.notes.md").read_text()
    (tmp_path / "report.notes.md").write_text(notes)
    write_report(list(read_runs(ROOT / "results" / "runs.jsonl")), tmp_path / "report.md")
    assert (tmp_path / "report.md").read_text() == (ROOT / "results" / "report.md").read_text()


def run(name: str, kind: str = "train") -> dict[str, Any]:
    cost = {"parameters": 10, "macs_per_second": 20.0, "weight_bytes": 40, "file_bytes": 80}
    judged = {"one_minus_auroc": 0.01, "au_fa_fr_speech_commands": 1e-4}
    metrics = {"validation": judged, "dev-test": judged}
    return {"kind": kind, "name": name, "config": {}, "cost": cost, "metrics": metrics}


def test_anybodys_report_holds_facts_only(tmp_path: Path) -> None:
    write_report([run("bed-0"), run("bed-1"), run("bed-int8", "quantize")], tmp_path / "report.md")
    text = (tmp_path / "report.md").read_text()
    assert "| bed | train | 32 | 10 | 20 | 1.0 | 40 | 1.0 | 80 | 2 |" in text
    for finding in ("happy", "2026", "four", "Goals", "teachers"):
        assert finding not in text


def test_notes_stand_under_their_headings_and_others_after_the_one_before() -> None:
    sections = {"Models": ["table"], "Training": ["curves"]}
    notes = {"Models": ["mine"], "Goals": ["none"], "Later": ["on"]}
    assert with_notes(sections, notes) == {
        "Models": ["table", "mine"],
        "Goals": ["none"],
        "Later": ["on"],
        "Training": ["curves"],
    }
    assert list(with_notes(sections, {"First": ["of all"]})) == ["Models", "Training", "First"]


def test_notes_that_are_not_utf_8_are_named(tmp_path: Path) -> None:
    (tmp_path / "m.notes.md").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"m\.notes\.md is not UTF-8"):
        notes_beside(tmp_path / "m.pt")
