"""What a person sees: posteriors to choose a threshold by, on a terminal of any width."""

import os
import pty
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from kwsd.cli.strict_output import raising_output
from kwsd.daemon.events import Event
from kwsd.daemon.sinks import terminal
from kwsd.daemon.sinks.terminal import Terminal, four_digits


@pytest.mark.parametrize(
    ("posterior", "text"),
    [(0.0, "0.0000"), (0.5, "0.5000"), (0.998, "0.9980"), (0.99981, "0.9998"), (0.99996, "0.9999")],
)
def test_a_posterior_has_four_digits(posterior: float, text: str) -> None:
    assert four_digits(posterior) == text


@given(st.floats(0, 1))
def test_what_is_printed_is_a_threshold_that_is_reached(posterior: float) -> None:
    assert posterior - 1e-4 < float(four_digits(posterior)) <= posterior


def test_the_line_of_a_trigger(capsys: pytest.CaptureFixture[str]) -> None:
    event = Event("happy", 0.99981, 7.36, datetime(2026, 1, 1, 12, 34, 56).astimezone(), "happy.pt")
    Terminal().on_trigger(event)
    assert capsys.readouterr().out == "12:34:56  happy  posterior 0.9998  at 7.36 s\n"


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_meter_fits_on_one_line(width: int, tmp_path: Path) -> None:
    terminal_file = (tmp_path / "terminal").open("w+")
    console = Console(width=width, force_terminal=True, color_system=None, file=terminal_file)
    meter = terminal.Meter(console, 0.5, lambda: "")
    meter._level, meter._posterior = -120.0, 0.99981
    console.print(meter._line())
    terminal_file.close()
    lines = (tmp_path / "terminal").read_text().splitlines()
    assert len(lines) == 1
    assert len(lines[0]) <= width
    assert "-120 dB" in lines[0]
    assert "0.9998" in lines[0]


def test_the_meter_says_that_there_is_no_microphone(tmp_path: Path) -> None:
    with (tmp_path / "terminal").open("w+") as file:
        console = Console(width=80, force_terminal=True, color_system=None, file=file)
        console.print(terminal.Meter(console, 0.5, lambda: "waiting for microphone USB")._line())
    assert (tmp_path / "terminal").read_text() == "waiting for microphone USB\n"


def test_a_stopped_terminal_holds_up_no_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-S: what is drawn on it would wait for Ctrl-Q."""
    monkeypatch.setattr(terminal, "REFRESH_INTERVAL", 0.0)
    controller, descriptor = pty.openpty()
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        while os.write(descriptor, bytes(4096)):
            pass
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "w") as file:
        meter = terminal.Meter(Console(file=file, force_terminal=True), 0.5, lambda: "")
        for _ in range(10):
            meter.on_audio(np.zeros(800, np.float32), 0.0)  # returns
        os.close(controller)


def test_a_closed_terminal_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "REFRESH_INTERVAL", 0.0)
    controller, descriptor = pty.openpty()
    with os.fdopen(descriptor, "w") as file:
        console = Console(file=raising_output(file), force_terminal=True)
        with terminal.Meter(console, 0.5, lambda: "") as meter:
            os.close(controller)
            meter.on_audio(np.zeros(800, np.float32), 0.0)
