"""Reads audio files that libsndfile cannot read (M4A, WebM, AMR) with `ffmpeg`, if that is installed."""

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

# The formats that ffmpeg may use. Playlists are excluded, because they name other files. So are formats
# without a magic number (MP3, AAC), because ffmpeg would find them in any noise: kwsd adds one of them only
# for a file in which it has found that format itself.
FORMATS = (
    "ac3,aiff,amr,ape,asf,ast,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,matroska,mov,mpc,mpc8,mpeg,mpegts,nut,"
    "ogg,oma,rm,tak,tta,voc,w64,wav,wv"
)
FRAMED_FORMATS = {"MP3": "mp3", "AAC": "aac"}  # by their kind (see `kind_of`)
BLOCK_SECONDS = 0.25  # of audio read at a time
INSTALL = {"darwin": "brew install ffmpeg", "win32": "winget install ffmpeg"}.get(
    sys.platform, "sudo apt install ffmpeg"
)
MAX_MESSAGE = 1000  # characters kept of the error messages of ffmpeg


def ffmpeg() -> str | None:
    """The path of ffmpeg; None if it is not installed."""
    return shutil.which("ffmpeg")


class FFmpegReader:
    """Reads the first audio stream of a file."""

    def __init__(self, program: str, path: Path, name: str, kind: str | None) -> None:
        """program: path of ffmpeg. name: of the file, for errors. kind: of the file, from `kind_of`.

        Raises AudioError if ffmpeg finds no audio.
        """
        self.name = name
        formats = ",".join(filter(None, (FORMATS, FRAMED_FORMATS.get(kind or ""))))
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
        self._messages = ""  # error messages of ffmpeg
        self._stderr_reader = threading.Thread(
            target=self._read_messages, args=(self._process.stderr,), daemon=True
        )
        self._stderr_reader.start()
        try:
            self.rate, self.channels = self._form()
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[tuple[int, Samples]]:
        """Rate (Hz) and frames, shape (n, channels). Raises AudioError if ffmpeg did not reach the end."""
        size = 4 * self.channels
        duration = 0.0  # seconds read so far
        while data := self._output.read(round(BLOCK_SECONDS * self.rate) * size):
            frames = np.frombuffer(data[: len(data) // size * size], "<f4").reshape(-1, self.channels)
            duration += len(frames) / self.rate
            yield self.rate, frames
        self._process.wait()
        self._stderr_reader.join()
        if self._process.returncode or self._messages:
            raise AudioError(
                f"{self.name!r} was read up to {duration:,.1f} s, perhaps not to its end: {self._reason()}"
            )
        if not duration:
            raise AudioError(f"{self.name!r} contains no audio: record it again")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stderr_reader.join()
        self._output.close()

    def _form(self) -> tuple[int, int]:
        """Read the WAV header that ffmpeg writes. Returns rate (Hz) and number of channels."""
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
        self._stderr_reader.join()
        if "matches no streams" in self._messages:
            raise AudioError(f"{self.name!r} contains no audio: record it again")
        raise AudioError(f"cannot read {self.name!r} as audio: {self._reason()}")

    def _read_messages(self, errors: IO[bytes]) -> None:
        """Read the error messages of ffmpeg, so that it is never blocked by a full pipe."""
        for line in errors:
            if len(self._messages) < MAX_MESSAGE:
                self._messages += line.decode(errors="replace")
        errors.close()

    def _reason(self) -> str:
        """The first error message of ffmpeg, or its exit code if there is none."""
        first = next(iter(self._messages.splitlines()), "")
        if not first:
            return f"ffmpeg ended with exit code {self._process.returncode}"
        said = re.sub(r"^\[.*? @ 0x\w+\] ", "", first.replace(f"file:{self.name}: ", ""))
        return f"ffmpeg says: {one_line(said[:200])}"
