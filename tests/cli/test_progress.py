"""What a person sees of a workflow, and what Python callers see."""

import logging
import re
import threading

import click
import pytest
import rich.progress

from kwsd.cli import progress as drawing
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


def test_without_a_terminal_a_long_stage_is_never_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = threading.Event()
    monkeypatch.setattr(drawing, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(drawing, "say", lambda line, level: (print(line, level), said.set()))
    progress = DrawnProgress()
    with progress.stage("training the teacher", total=8, done=2):
        assert said.wait(10)
    line = capsys.readouterr().out.splitlines()[0]
    assert re.fullmatch(rf"training the teacher: \d+ s so far, 25 % {logging.INFO}", line)


def test_the_time_that_is_left_is_told() -> None:
    now = 0.0
    bar = rich.progress.Progress(disable=True, get_time=lambda: now, speed_estimate_period=1_000)
    fetching = bar.add_task("fetching", total=4)
    for now, done in ((50.0, 1), (125.0, 2)):  # noqa: B007  # get_time reads it
        bar.update(fetching, completed=done)
    [task] = bar.tasks
    assert drawing.state_of(task) == "fetching: 2 min 5 s so far, 50 %, 2 min 30 s left"


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


def test_ctrl_c_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with (
        pytest.raises(click.Abort),
        drawn() as progress,
        on_interrupt(progress, lambda: "the whole command"),
        on_interrupt(progress, lambda: "its last part"),
    ):
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "kwsd: its last part\n"


def test_python_callers_see_warnings_in_their_log_only(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with SILENT.stage("training", 3):
        SILENT.batch()
        SILENT.note("good")
        SILENT.warning("odd")
    assert caplog.record_tuples == [("kwsd", logging.WARNING, "odd")]
    assert capsys.readouterr().out == ""
