"""In which order the parts of the daemon end."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kwsd.daemon import app
from kwsd.daemon.sinks import command_recorder
from kwsd.daemon.sinks.clip_folder import ClipFolder
from kwsd.daemon.sinks.command_recorder import CommandRecorder
from kwsd.daemon.sinks.hooks import Hooks


def test_a_command_that_is_still_being_saved_when_kwsd_stops_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And waited for, as all that runs."""

    class SlowFolder(ClipFolder):
        def _write(self, _name: str, _content: bytes) -> bool:
            time.sleep(0.2)
            return True

    class Stopped:
        """A listener that is stopped when a command has just been recorded."""

        stopping = True

        def run(self, _between: Callable[[], None]) -> None:
            command = f"sleep 0.2; touch {tmp_path}/ran"
            folder.save("command.wav", b"", lambda _: hooks.start(command, {}, b""))

    class Nothing:
        def __getattr__(self, _: str) -> Callable[..., None]:
            return lambda *_: None

    monkeypatch.setattr(command_recorder, "SpeechDetector", Nothing)  # its package may not be installed
    hooks, folder = Hooks({}, 60.0), SlowFolder(tmp_path, 1.0, 1_000_000)
    recorder = CommandRecorder({}, hooks, lambda _: None, 0.3, 0.8, 15.0, folder)
    nothing: Any = Nothing()
    app._listen(Stopped(), nothing, hooks, recorder, nothing)  # type: ignore[arg-type]
    assert (tmp_path / "ran").exists()
