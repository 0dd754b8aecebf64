"""What a person sees of a workflow, and what Python callers see."""

import logging

import click
import pytest

from kwsd.cli.progress import DrawnProgress, drawn
from kwsd.training.workflows.progress import SILENT, on_interrupt


def test_a_stage_counts_batches_clips_and_trials() -> None:
    progress = DrawnProgress()
    with progress.stage("training", total=4, done=1):
        assert progress._bar is not None
        [task] = progress._bar.tasks
        progress.batch()
        assert (task.completed, task.total) == (2, 4)
        progress.count(7, 9)
        assert (task.completed, task.total) == (7, 9)
        progress.trial(8, "{'alpha': 0.5}: [0.1]")
        assert task.completed == 8
    assert progress._bar is None
    progress.batch()  # outside of a stage nothing is drawn


def test_lines_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    progress = DrawnProgress()
    progress.note("[bold]model[/].pt: validation")
    progress.warning("1 recordings cannot be used")
    captured = capsys.readouterr()
    assert captured.out == "[bold]model[/].pt: validation\n"
    assert captured.err == "kwsd: 1 recordings cannot be used\n"


def test_ctrl_c_says_what_is_left_and_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.Abort), drawn() as progress, on_interrupt(progress, lambda: "stopped"):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "kwsd: stopped\n"


def test_python_callers_see_warnings_in_their_log_only(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with SILENT.stage("training", 3):
        SILENT.batch()
        SILENT.note("good")
        SILENT.warning("odd")
    assert caplog.record_tuples == [("kwsd", logging.WARNING, "odd")]
    assert capsys.readouterr().out == ""
