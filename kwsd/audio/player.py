"""Plays WAV files, with a program of the system or, on Windows, with the system itself."""

import shutil
import subprocess
import sys
from pathlib import Path

from kwsd.errors import AudioError

# programs that play a WAV file, in the order in which they are tried: PulseAudio and PipeWire, ALSA, macOS
PLAYERS = ("paplay", "pw-play", "aplay -q", "afplay")
NAMES = ", ".join(line.split()[0] for line in PLAYERS)
NEEDED = f"one of {NAMES}: sudo apt install pulseaudio-utils or alsa-utils"


def player() -> str | None:
    """The command line that plays the file that is added to it; None if no such program is installed."""
    return next((line for line in PLAYERS if shutil.which(line.split()[0])), None)


def play(path: Path) -> None:
    """Play a WAV file to its end. Raises AudioError if nothing can play it."""
    if sys.platform == "win32":
        import winsound

        try:
            winsound.PlaySound(str(path), winsound.SND_FILENAME)
        except RuntimeError as error:
            raise AudioError(f"cannot play {path}: {error}") from error
        return
    line = player()
    if line is None:
        raise AudioError(f"cannot play {path}: that needs {NEEDED}")
    done = subprocess.run([*line.split(), path], capture_output=True, check=False, text=True)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2] or f"{line.split()[0]} failed"
        raise AudioError(f"cannot play {path}: {reason}")
