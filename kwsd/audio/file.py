"""Audio from a file, in any format, sample rate and channel count that libsndfile or ffmpeg can read."""

import logging
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np

from kwsd.audio.channels import Mixer
from kwsd.audio.formats.ffmpeg import INSTALL, FFmpegReader, ffmpeg
from kwsd.audio.formats.kinds import HEAD_BYTES, kind_of
from kwsd.audio.formats.sndfile import SndfileReader, UnknownFormatError
from kwsd.audio.resample import Resampler
from kwsd.audio.source import Chunk, Recorded
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import Samples, finite

MAX_SAMPLE = 16.0  # times full scale; above it, floats were probably not scaled to -1 ... 1
MAX_SHARE_TOO_LOUD = 0.01  # of the samples; up to that it may be a glitch
RAW_SUFFIXES = (".raw", ".pcm", ".s16", ".s16le", ".sw", ".sln")
FORMATS = "WAV, FLAC, Ogg, MP3, AIFF and, if ffmpeg is installed, most others"
NO_SAMPLES: Samples = np.zeros(0, np.float32)

log = logging.getLogger(__name__)

NOT_NUMBERS = "are not numbers"  # in the warning about NaN and infinities


class FileSource(Recorded):
    """An audio file as 16 kHz mono, read as fast as its chunks are requested."""

    def __init__(
        self, path: str | Path, channel: int | None = None, warn: Callable[[str], None] = log.warning
    ) -> None:
        """channel: the channel to read, counted from 1; None averages all.

        warn: called with each warning about the content of the file. Raises UsageError if there is no such
        file or channel, AudioError if the file contains no audio that can be read.
        """
        self.name = str(path)
        self._channel, self._warn = channel, warn
        self._stopped = False
        self._check_file(Path(path))
        self._reader = self._open(Path(path))
        try:
            self._mixer = self._mix(self._reader.channels, self._reader.rate)
        except UsageError:
            self._reader.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[Chunk]:
        """Raises AudioError after the readable audio if the file is empty, truncated or damaged."""
        resampler = Resampler(self._reader.rate)
        count = not_finite = loud = 0  # samples
        failure = None
        try:
            for rate, frames in self._reader:
                if self._stopped:
                    return
                if rate != resampler.rate:  # files with different rates were joined
                    yield Chunk(resampler.push(NO_SAMPLES, last=True))
                    resampler = Resampler(rate)
                if frames.shape[1] != self._mixer.channels:
                    self._mixer = self._mix(frames.shape[1], rate)
                not_finite += int(np.count_nonzero(~np.isfinite(frames)))
                count += frames.size
                frames = finite(frames)
                loud += int(np.count_nonzero(frames > MAX_SAMPLE))
                yield Chunk(resampler.push(self._mixer.push(frames)))
        except AudioError as error:
            failure = error
        yield Chunk(resampler.push(NO_SAMPLES, last=True))
        self._mixer.finish()
        if not_finite:
            self._warn(f"{not_finite} samples of {self.name!r} {NOT_NUMBERS}: replaced with silence")
        if loud > MAX_SHARE_TOO_LOUD * count:
            self._warn(
                f"{loud} samples of {self.name!r} are far above full scale: floats must be between -1 and 1"
            )
        if failure:
            raise failure

    def stop(self) -> None:
        self._stopped = True

    def _open(self, path: Path) -> SndfileReader | FFmpegReader:
        """The reader that can read the file. Raises AudioError if none can."""
        no_audio = f"{self.name!r} contains no audio: record it again"
        try:
            reader = SndfileReader(path, self.name, self._warn)
            if not reader.is_empty:
                return reader
            reader.close()
            unread = no_audio
        except OSError as error:
            raise AudioError(f"cannot read {self.name!r}: {error.strerror}") from error
        except UnknownFormatError as error:
            unread = f"cannot read {self.name!r} as audio: {error}"
        with path.open("rb") as file:
            kind = kind_of(file.read(HEAD_BYTES))
        program = ffmpeg()
        is_empty_wav = unread is no_audio and kind is None  # libsndfile has understood it
        if program and not is_empty_wav:
            try:
                return FFmpegReader(program, path, self.name, kind)
            except AudioError:
                if kind and unread is not no_audio:
                    raise
        if unread is no_audio:
            raise AudioError(no_audio)
        if kind:
            raise AudioError(f"reading {self.name!r} ({kind}) needs ffmpeg: {INSTALL}")
        if path.suffix.lower() in RAW_SUFFIXES:
            raise AudioError(f"{unread}; for raw audio use kwsd listen --input - < FILE")
        raise AudioError(f"{unread}; kwsd reads {FORMATS}")

    def _mix(self, channels: int, rate: int) -> Mixer:
        return Mixer(self.name, channels, rate, self._channel, self._warn)

    def _check_file(self, path: Path) -> None:
        """Raise UsageError if there is no regular file that can be read."""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                what = "a folder" if stat.S_ISDIR(status.st_mode) else "a device or pipe: try --input -"
                raise UsageError(f"cannot listen to {self.name!r}: it is {what}")
            with path.open("rb"):
                pass
        except FileNotFoundError as error:
            raise UsageError(f"there is no file {self.name!r}") from error
        except PermissionError as error:
            raise UsageError(f"no permission to read {self.name!r}; change its mode or owner") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
            raise UsageError(f"cannot open {self.name!r}: {error}") from error
        if not status.st_size:
            raise AudioError(f"{self.name!r} is empty: record it again")
