"""Plays a sound at each trigger, so that the speaker knows that kwsd listens."""

import shlex
from pathlib import Path

from kwsd.audio.player import NEEDED, player
from kwsd.daemon.events import Event
from kwsd.daemon.sinks.hooks import Hooks
from kwsd.daemon.sinks.sink import Sink
from kwsd.errors import UsageError
from kwsd.resources import shared

BUILTIN = "builtin"  # instead of a file: the sound that comes with kwsd


class Ding(Sink):
    """Runs a program that plays a file, as a hook: nothing waits for it, and it cannot run forever."""

    def __init__(self, sound: str, hooks: Hooks) -> None:
        """sound: a file, or BUILTIN. Raises UsageError if there is no such file, or no program to play it."""
        path = shared("sounds") / "ding.wav" if sound == BUILTIN else Path(sound)
        if not path.is_file():
            raise UsageError(f"there is no sound {sound!r}; give a WAV file, or --ding {BUILTIN}")
        line = player()
        if line is None:
            raise UsageError(f"--ding needs {NEEDED}")
        self._command = f"{line} {shlex.quote(str(path.absolute()))}"
        self._hooks = hooks

    def on_trigger(self, event: Event) -> None:
        """Start to play the sound."""
        self._hooks.start(self._command, event.environment(), b"")
