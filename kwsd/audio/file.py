"""Audio from a file: of any format, rate and channel count that libsndfile or ffmpeg reads."""

import logging
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import numpy as np

from kwsd.audio.channels import Mixer
from kwsd.audio.formats.ffmpeg import INSTALL, FFmpegReader, ffmpeg
from kwsd.audio.formats.kinds import kind_of
from kwsd.audio.formats.sndfile import SndfileReader, UnknownFormatError
from kwsd.audio.resample import Resampler
from kwsd.audio.source import Chunk, Recorded
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import Samples, finite

TOO_LOUD = 16.0  # times full scale: floats that were not scaled like audio, from -1 to 1
SHARE_TOO_LOUD = 0.01  # of the samples, above which it is no mere glitch
HEAD = 1 << 14  # bytes that tell what a file is
RAW = (".raw", ".pcm", ".s16", ".s16le", ".sw", ".sln")
FORMATS = "WAV, FLAC, Ogg, MP3, AIFF and, where ffmpeg is installed, most others"
NOTHING: Samples = np.zeros(0, np.float32)

log = logging.getLogger(__name__)

NO_NUMBERS = "are no numbers"  # in the remark on NaN and infinities


class FileSource(Recorded):
    """A file's channels made one, resampled, at whatever speed it is read."""

    def __init__(
        self, path: str | Path, channel: int | None = None, warn: Callable[[str], None] = log.warning
    ) -> None:
        """channel: the one to hear, counted from 1; None: the mean of all. warn: called with each remark.

        Raises UsageError where there is no such file or channel, AudioError where it is no audio.
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
        """Raises AudioError, after the audio that is there, where the file is empty, cut short or damaged."""
        resampler = Resampler(self._reader.rate)
        count = odd = loud = 0  # samples
        failure = None
        try:
            for rate, frames in self._reader:
                if self._stopped:
                    return
                if rate != resampler.rate:  # files of several rates were joined
                    yield Chunk(resampler.push(NOTHING, last=True))
                    resampler = Resampler(rate)
                if frames.shape[1] != self._mixer.channels:
                    self._mixer = self._mix(frames.shape[1], rate)
                odd += int(np.count_nonzero(~np.isfinite(frames)))
                count += frames.size
                frames = finite(frames)
                loud += int(np.count_nonzero(frames > TOO_LOUD))
                yield Chunk(resampler.push(self._mixer.push(frames)))
        except AudioError as error:
            failure = error
        yield Chunk(resampler.push(NOTHING, last=True))
        self._mixer.finish()
        if odd:
            self._warn(f"{odd} samples of {self.name!r} {NO_NUMBERS}: heard as silence")
        if loud > SHARE_TOO_LOUD * count:
            self._warn(f"{loud} samples of {self.name!r} are far beyond full scale: floats go from -1 to 1")
        if failure:
            raise failure

    def stop(self) -> None:
        self._stopped = True

    def _open(self, path: Path) -> SndfileReader | FFmpegReader:
        """Whatever reads the file. Raises AudioError where nothing does."""
        no_audio = f"{self.name!r} holds no audio: record it again"
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
            kind = kind_of(file.read(HEAD))
        program = ffmpeg()
        if program and (
            kind or unread is not no_audio
        ):  # a WAV without audio, which has no kind, is understood
            try:
                return FFmpegReader(program, path, self.name, kind)
            except AudioError:
                if kind and unread is not no_audio:
                    raise
        if unread is no_audio:
            raise AudioError(no_audio)
        if kind:
            raise AudioError(f"{self.name!r} is {kind}, which takes ffmpeg to read: {INSTALL}")
        if path.suffix.lower() in RAW:
            raise AudioError(f"{unread}; raw audio goes to kwsd listen --input - < FILE")
        raise AudioError(f"{unread}; kwsd reads {FORMATS}")

    def _mix(self, channels: int, rate: int) -> Mixer:
        return Mixer(self.name, channels, rate, self._channel, self._warn)

    def _check_file(self, path: Path) -> None:
        """Whether there is a file to read."""
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
