"""Audio files that libsndfile does not read (M4A, WebM, AMR), through `ffmpeg` where it is installed."""

import re
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from kwsd.audio.formats.wav import parse_form
from kwsd.errors import AudioError, one_line
from kwsd.pcm import Samples

# The formats that ffmpeg may take a file for: no playlist, whose lines name other files, and none without a
# magic number (MP3, AAC), which are found in any noise: they are tried where kwsd finds them.
FORMATS = (
    "ac3,aiff,amr,ape,asf,ast,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,matroska,mov,mpc,mpc8,mpeg,mpegts,nut,"
    "ogg,oma,rm,tak,tta,voc,w64,wav,wv"
)
BY_FRAMES = {"MP3": "mp3", "AAC": "aac"}  # kinds, as `kind_of` calls them, and ffmpeg's names
BLOCK = 0.25  # seconds read at a time
INSTALL = {"darwin": "brew install ffmpeg", "win32": "winget install ffmpeg"}.get(
    sys.platform, "sudo apt install ffmpeg"
)
SAID = 1000  # characters of what ffmpeg says, at most


def ffmpeg() -> str | None:
    """The path of the program, if it is installed."""
    return shutil.which("ffmpeg")


class FFmpegReader:
    """The frames of a file's first audio stream."""

    def __init__(self, program: str, path: Path, name: str, kind: str | None) -> None:
        """name: what the file is called in errors. kind: of file, by `kind_of`.

        Raises AudioError where there is no audio to be had.
        """
        self.name = name
        formats = ",".join(filter(None, (FORMATS, BY_FRAMES.get(kind or ""))))
        command = [program, "-nostdin", "-hide_banner", "-loglevel", "error"]
        command += ["-protocol_whitelist", "file", "-format_whitelist", formats, "-i", "file:" + str(path)]
        command += ["-map", "0:a:0", "-c:a", "pcm_f32le", "-f", "wav", "-bitexact", "pipe:1"]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as error:
            raise AudioError(f"cannot run ffmpeg for {name!r}: {error.strerror}") from error
        assert self._process.stdout
        assert self._process.stderr
        self._output = self._process.stdout
        self._said = ""
        self._listener = threading.Thread(target=self._listen, args=(self._process.stderr,), daemon=True)
        self._listener.start()
        try:
            self.rate, self.channels = self._form()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[tuple[int, Samples]]:
        """Rate (Hz) and frames, shape (n, channels). Raises AudioError where ffmpeg did not hear the end."""
        size = 4 * self.channels
        heard = 0.0
        while data := self._output.read(round(BLOCK * self.rate) * size):
            frames = np.frombuffer(data[: len(data) // size * size], "<f4").reshape(-1, self.channels)
            heard += len(frames) / self.rate
            yield self.rate, frames
        self._process.wait()
        self._listener.join()
        if self._process.returncode or self._said:
            raise AudioError(
                f"{self.name!r} is heard to {heard:,.1f} s, perhaps not to its end: {self._reason()}"
            )
        if not heard:
            raise AudioError(f"{self.name!r} holds no audio: record it again")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._listener.join()
        self._output.close()

    def _form(self) -> tuple[int, int]:
        """Rate and channels, from the WAV header that ffmpeg writes before the audio."""
        self._output.read(12)
        rate = channels = 0
        while len(head := self._output.read(8)) == 8:
            tag, length = struct.unpack("<4sI", head)
            if tag == b"data" and channels:
                return rate, channels
            chunk = self._output.read(length)
            if tag == b"fmt " and length >= 16:
                form = parse_form(chunk)
                rate, channels = form.rate, form.channels
        self._process.wait()
        self._listener.join()
        if "matches no streams" in self._said:
            raise AudioError(f"{self.name!r} holds no audio: record it again")
        raise AudioError(f"cannot read {self.name!r} as audio: {self._reason()}")

    def _listen(self, errors: IO[bytes]) -> None:
        """Take what ffmpeg says, so that it never waits for it to be taken."""
        for line in errors:
            if len(self._said) < SAID:
                self._said += line.decode(errors="replace")
        errors.close()

    def _reason(self) -> str:
        """The first thing that ffmpeg said, or how it ended."""
        first = next(iter(self._said.splitlines()), "")
        if not first:
            return f"ffmpeg ended with exit code {self._process.returncode}"
        said = re.sub(r"^\[.*? @ 0x\w+\] ", "", first.replace(f"file:{self.name}: ", ""))
        return f"ffmpeg says: {one_line(said[:200])}"
