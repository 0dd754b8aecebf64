"""Audio files that libsndfile reads: WAV, FLAC, Ogg, MP3, AIFF and others."""

from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile

from kwsd.audio.formats.joined import parts_of
from kwsd.audio.formats.part import Part, PartFile
from kwsd.audio.quiet import libraries_silenced
from kwsd.errors import AudioError
from kwsd.pcm import Samples

BLOCK = 0.25  # seconds read at a time
MOST = 1 << 20  # samples of all channels read at a time
RATES = (1_000, 1_000_000)  # Hz; a header that says any other is damaged
ENDLESS = 2**62  # frames, or more, that libsndfile claims where nobody knows the end
SLACK = 0.05  # seconds that an encoder may lose


class UnknownFormatError(Exception):
    """libsndfile does not know the file's format. Its text is libsndfile's reason."""


class Forward(soundfile.SoundFile):  # type: ignore[misc]  # it has no types
    """Read from beginning to end: a seek after each read, as soundfile does it, upsets MP3 and FLAC."""

    def seekable(self) -> bool:
        return False


class SndfileReader:
    """The frames of all streams in a file, one after the other."""

    def __init__(self, path: Path, name: str, warn: Callable[[str], None]) -> None:
        """name: what the file is called in errors. Raises UnknownFormatError, AudioError, OSError."""
        self.name, self._warn = name, warn
        self._file = path.open("rb")
        try:
            self._parts = parts_of(self._file)
            self._open(self._parts[0])
        except BaseException:
            self._file.close()
            raise
        self.channels: int = self._sound.channels
        self.rate: int = self._sound.samplerate  # Hz; of the first stream, both

    def __iter__(self) -> Iterator[tuple[int, Samples]]:
        """Rate (Hz) and frames, shape (n, channels).

        Raises AudioError, after all that can be read, where a part of the file is not heard.
        """
        heard = 0.0  # seconds
        failure = None
        for number, part in enumerate(self._parts):
            start = heard
            try:
                if number:
                    self._sound.close()
                    self._open(part)
                if part.remark:
                    self._warn(f"{self.name!r}: {part.remark}")
                for rate, frames in self._blocks():
                    heard += len(frames) / rate
                    yield rate, frames
                claimed = self._claimed(part)
                if part.seconds is not None and heard > start + claimed + SLACK:
                    there = f"its header says {claimed:,.1f} s and {heard - start:,.1f} s are there"
                    self._warn(f"{self.name!r}: {there}: all is heard")
                if start < heard < start + claimed - SLACK:
                    there = f"{heard:,.1f} of {start + claimed:,.1f} s are there"
                    failure = failure or AudioError(f"{self.name!r} is cut short: {there}; get it again")
            except (soundfile.LibsndfileError, UnknownFormatError, OSError) as error:
                failure = failure or AudioError(
                    f"cannot read {self.name!r} as audio beyond {heard:,.1f} s: {_reason(error)}; "
                    "it is damaged: get it again"
                )
        if not heard:
            failure = failure or AudioError(f"{self.name!r} holds no audio: record it again")
        if failure:
            raise failure

    @property
    def is_empty(self) -> bool:
        """Whether there is no audio, as far as libsndfile knows."""
        return len(self._parts) == 1 and not self._sound.frames

    def close(self) -> None:
        self._sound.close()
        self._file.close()

    def _open(self, part: Part) -> None:
        self._part_file = PartFile(self._file, part)
        try:
            with libraries_silenced():
                self._sound = Forward(self._part_file)
        except soundfile.LibsndfileError as error:
            if self._part_file.error:
                raise self._part_file.error from error
            raise UnknownFormatError(_reason(error)) from error
        rate = self._sound.samplerate
        if not RATES[0] <= rate <= RATES[1]:
            raise AudioError(f"{self.name!r} says it is of {rate:,} Hz, as no audio is: record it again")

    def _blocks(self) -> Iterator[tuple[int, Samples]]:
        rate: int = self._sound.samplerate
        count = min(round(BLOCK * rate), MOST // self._sound.channels)
        while True:
            with libraries_silenced():
                frames: Samples = self._sound.read(count, dtype="float32", always_2d=True)
            if self._part_file.error:
                raise self._part_file.error
            if not len(frames):
                return
            yield rate, frames

    def _claimed(self, part: Part) -> float:
        """Seconds of audio in the part, as its header says."""
        if part.seconds is not None:
            return part.seconds
        frames: int = self._sound.frames
        return 0.0 if frames >= ENDLESS else frames / self._sound.samplerate


def _reason(error: Exception) -> str:
    if isinstance(error, soundfile.LibsndfileError):
        reason: str = error.error_string
        return reason.removeprefix("Error : ").rstrip(".")
    return str(error.strerror if isinstance(error, OSError) else error)
