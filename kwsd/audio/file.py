"""Audio from a file that libsndfile reads: WAV, FLAC, Ogg, MP3, any rate, any channel count."""

import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import soundfile

from kwsd.audio.resample import Resampler
from kwsd.audio.source import Recorded
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import Samples, finite

BLOCK = 0.25  # seconds read at a time
MOST = 1 << 20  # samples of all channels read at a time
RATES = (1_000, 1_000_000)  # Hz; a header that tells of any other is damaged
UNKNOWN = 0x7F000000  # bytes of data, or more, that a WAV claims where its writer did not know its end
ENDLESS = 2**63 - 1  # frames that libsndfile claims of a FLAC where its writer did not know its end

log = logging.getLogger(__name__)


class Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """Read from beginning to end: a seek after each read, as soundfile does it, upsets MP3 and FLAC."""

    def seekable(self) -> bool:
        return False


class FileSource(Recorded):
    """The mean of a file's channels, resampled, at whatever speed it is read."""

    def __init__(self, path: str | Path) -> None:
        """Raises UsageError where there is no such file to read, AudioError where it is no audio."""
        self.name = str(path)
        self._stopped = False
        self._check_file(Path(path))
        try:
            self._file = Forward(path)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"cannot read {self.name!r} as audio: {_reason(error)}; kwsd reads WAV, FLAC, Ogg and MP3: "
                "convert it with ffmpeg"
            ) from error
        rate = self._file.samplerate
        if not RATES[0] <= rate <= RATES[1]:
            raise AudioError(f"{self.name!r} says it is of {rate:,} Hz, as no audio is: record it again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[Samples]:
        """Raises AudioError, after the audio that is there, where the file is empty, cut short or damaged."""
        rate = self._file.samplerate
        resampler = Resampler(rate)
        count = min(round(BLOCK * rate), MOST // self._file.channels)
        heard = odd = 0
        while not self._stopped:
            frames = self._read(count, heard)
            heard += len(frames)
            odd += int(np.count_nonzero(~np.isfinite(frames)))
            yield resampler.push(finite(frames).mean(axis=1), last=not len(frames))
            if not len(frames):
                if odd:
                    log.warning("%d samples of %r are no numbers: heard as silence", odd, self.name)
                self._check_length(heard)
                return

    def stop(self) -> None:
        self._stopped = True

    def _check_file(self, path: Path) -> None:
        """What libsndfile would call a system error."""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or pipe: try --input -"
                raise UsageError(f"there is no file {self.name!r} to listen to: it is {what}")
            with path.open("rb"):
                pass
        except FileNotFoundError as error:
            raise UsageError(f"there is no file {self.name!r} to listen to") from error
        except PermissionError as error:
            raise UsageError(f"no permission to read {self.name!r}; change its mode or owner") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise UsageError(f"cannot open {self.name!r}: {error}") from error
        if not status.st_size:
            raise AudioError(f"{self.name!r} is empty: record it again")

    def _check_length(self, heard: int) -> None:
        """Raises AudioError where fewer frames were heard than the file's header claims, or none."""
        if not heard:
            raise AudioError(f"{self.name!r} holds no audio: record it again")
        claimed: int = self._file.frames
        cut = re.search(r"^data : (\d+) \(should be (\d+)\)", self._file.extra_info, re.MULTILINE)
        if cut and int(cut[2]) < int(cut[1]) < UNKNOWN:  # the WAV's own claim, which libsndfile corrects
            claimed = heard * int(cut[1]) // int(cut[2])
        if self._file.format == "MP3" or claimed == ENDLESS:  # of an MP3 it is a guess
            return
        if heard < claimed:
            rate = self._file.samplerate
            raise AudioError(
                f"{self.name!r} is cut short: {heard / rate:,.1f} of {claimed / rate:,.1f} s are there; "
                "get it again"
            )

    def _read(self, count: int, heard: int) -> Samples:
        """Frames, shape (n, channels)."""
        try:
            frames: Samples = self._file.read(count, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(
                f"cannot read {self.name!r} as audio beyond {heard / self._file.samplerate:,.1f} s: "
                f"{_reason(error)}; it is damaged: get it again"
            ) from error
        return frames


def _reason(error: soundfile.LibsndfileError) -> str:
    reason: str = error.error_string
    return reason.removeprefix("Error : ").rstrip(".")
