"""Reads audio files with libsndfile: WAV, FLAC, Ogg, MP3, AIFF and others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile

from kwsd.audio.formats.joined import parts_of
from kwsd.audio.formats.part import Part, PartFile
from kwsd.audio.quiet import libraries_silenced
from kwsd.errors import AudioError
from kwsd.interrupts import interrupts_postponed
from kwsd.pcm import Samples

BLOCK_SECONDS = 0.25  # of audio read at a time
MAX_BLOCK_SAMPLES = 1 << 20  # of all channels together
MIN_RATE, MAX_RATE = 1_000, 1_000_000  # Hz; a header with any other rate is damaged
UNKNOWN_FRAMES = 2**62  # libsndfile returns this or more if the length is unknown
TOLERANCE_SECONDS = 0.05  # of audio that an encoder may lose


class UnknownFormatError(Exception):
    """libsndfile cannot read the format of the file. The text is its reason."""


class Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no type hints
    """Reads without seeking: the seek that soundfile does after each read breaks MP3 and FLAC."""

    def seekable(self) -> bool:
        return False


class SndfileReader:
    """Reads all streams of a file, one after the other."""

    def __init__(self, path: Path, name: str, warn: Callable[[str], None]) -> None:
        """name: of the file, for errors. warn: called with each remark.

        Raises UnknownFormatError, AudioError or OSError.
        """
        self.name, self._warn = name, warn
        self._file = path.open("rb")
        try:
            self._parts = parts_of(self._file)
            self._open(self._parts[0])
        except BaseException:
            self._file.close()
            raise
        self.channels: int = self._sound.channels
        self.rate: int = self._sound.samplerate  # Hz; of the first stream, like the channels

    def __iter__(self) -> Iterator[tuple[int, Samples]]:
        """Rate (Hz) and frames, shape (n, channels).

        Raises AudioError after the readable audio if a part of the file cannot be read.
        """
        duration = 0.0  # seconds read so far
        failure = None
        for number, part in enumerate(self._parts):
            start = duration
            try:
                if number:
                    self._sound.close()
                    self._open(part)
                if part.remark:
                    self._warn(f"{self.name!r}: {part.remark}")
                for rate, frames in self._blocks():
                    duration += len(frames) / rate
                    yield rate, frames
                claimed = self._claimed(part)
                if part.seconds is not None and duration > start + claimed + TOLERANCE_SECONDS:
                    there = f"its header says {claimed:,.1f} s, but there are {duration - start:,.1f} s"
                    self._warn(f"{self.name!r}: {there}, and all of it is read")
                if start < duration < start + claimed - TOLERANCE_SECONDS:
                    there = f"it has {duration:,.1f} of {start + claimed:,.1f} s"
                    failure = failure or AudioError(f"{self.name!r} is truncated: {there}; get a new copy")
            except (soundfile.LibsndfileError, UnknownFormatError, OSError) as error:
                failure = failure or AudioError(
                    f"cannot read {self.name!r} as audio beyond {duration:,.1f} s: {_reason(error)}; "
                    "it is damaged: get a new copy"
                )
        if not duration:
            failure = failure or AudioError(f"{self.name!r} contains no audio: record it again")
        if failure:
            raise failure

    @property
    def is_empty(self) -> bool:
        """Whether libsndfile finds no audio."""
        return len(self._parts) == 1 and not self._sound.frames

    def close(self) -> None:
        self._sound.close()
        self._file.close()

    def _open(self, part: Part) -> None:
        self._part_file = PartFile(self._file, part)
        try:
            with libraries_silenced(), interrupts_postponed():
                self._sound = Forward(self._part_file)
        except soundfile.LibsndfileError as error:
            if self._part_file.error:
                raise self._part_file.error from error
            raise UnknownFormatError(_reason(error)) from error
        rate = self._sound.samplerate
        if not MIN_RATE <= rate <= MAX_RATE:
            raise AudioError(f"{self.name!r} has an invalid sample rate of {rate:,} Hz: record it again")

    def _blocks(self) -> Iterator[tuple[int, Samples]]:
        """Rate and frames of the current stream, in blocks."""
        rate: int = self._sound.samplerate
        count = min(round(BLOCK_SECONDS * rate), MAX_BLOCK_SAMPLES // self._sound.channels)
        while True:
            with libraries_silenced(), interrupts_postponed():
                frames: Samples = self._sound.read(count, dtype="float32", always_2d=True)
            if self._part_file.error:
                raise self._part_file.error
            if not len(frames):
                return
            yield rate, frames

    def _claimed(self, part: Part) -> float:
        """Seconds of audio in the part according to its header; 0 if unknown."""
        if part.seconds is not None:
            return part.seconds
        frames: int = self._sound.frames
        return 0.0 if frames >= UNKNOWN_FRAMES else frames / self._sound.samplerate


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        reason: str = error.error_string
        return reason.removeprefix("Error : ").rstrip(".")
    return str(error.strerror if isinstance(error, OSError) else error)
