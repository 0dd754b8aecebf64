"""Audio from a file that libsndfile reads: WAV, FLAC, Ogg, MP3, any rate, any channel count."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from kwsd.audio.resample import Resampler
from kwsd.audio.source import Recorded
from kwsd.errors import AudioError, UsageError
from kwsd.runtime.frontend import Samples

BLOCK = 0.25  # seconds read at a time


class FileSource(Recorded):
    """The mean of a file's channels, resampled, at whatever speed it is read."""

    def __init__(self, path: str | Path) -> None:
        """Raises UsageError where there is no such file, AudioError where it is no audio."""
        self.name = str(path)
        self._stopped = False
        if not Path(path).is_file():
            raise UsageError(f"there is no file {self.name!r} to listen to")
        try:
            self._file = soundfile.SoundFile(path)
        except (soundfile.LibsndfileError, OSError) as error:
            raise self._error(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Samples]:
        resampler = Resampler(self._file.samplerate)
        while not self._stopped:
            frames = self._read(round(BLOCK * self._file.samplerate))
            yield resampler.push(np.nan_to_num(frames.mean(axis=1)), last=not len(frames))
            if not len(frames):
                return

    def stop(self) -> None:
        self._stopped = True

    def _read(self, count: int) -> Samples:
        """Frames, shape (n, channels)."""
        try:
            frames: Samples = self._file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise self._error(error) from error
        return frames

    def _error(self, error: Exception) -> AudioError:
        reason = getattr(error, "error_string", str(error)).rstrip(".")
        return AudioError(f"cannot read {self.name!r} as audio: {reason}")
