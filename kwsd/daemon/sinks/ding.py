"""Plays a sound at each trigger, so that the speaker knows that kwsd listens."""

import shlex
import shutil
from pathlib import Path

from kwsd.daemon.events import Event
from kwsd.daemon.sinks.hooks import Hooks
from kwsd.daemon.sinks.sink import Sink
from kwsd.errors import UsageError
from kwsd.resources import shared

BUILTIN = "builtin"  # instead of a file: the sound that comes with kwsd
# programs that play a WAV file, in the order in which they are tried: PulseAudio and PipeWire, ALSA, macOS
PLAYERS = ("paplay", "pw-play", "aplay -q", "afplay")


class Ding(Sink):
    """Runs a program that plays a file, as a hook: nothing waits for it, and it cannot run forever."""

    def __init__(self, sound: str, hooks: Hooks) -> None:
        """sound: a file, or BUILTIN. Raises UsageError if there is no such file, or no program to play it."""
        path = shared("sounds") / "ding.wav" if sound == BUILTIN else Path(sound)
        if not path.is_file():
            raise UsageError(f"there is no sound {sound!r}; give a WAV file, or --ding {BUILTIN}")
        player = next((line for line in PLAYERS if shutil.which(line.split()[0])), None)
        if player is None:
            names = ", ".join(line.split()[0] for line in PLAYERS)
            raise UsageError(f"--ding needs one of {names}: sudo apt install pulseaudio-utils or alsa-utils")
        self._command = f"{player} {shlex.quote(str(path.absolute()))}"
        self._hooks = hooks

    def on_trigger(self, event: Event) -> None:
        """Start to play the sound."""
        self._hooks.start(self._command, event.environment(), b"")
