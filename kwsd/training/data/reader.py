"""Reads many recordings, and remembers why it left out those that cannot be used."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kwsd.audio.file import NOT_NUMBERS
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.training.data.speech_commands import read_audio, stream_audio
from kwsd.training.data.spool import Recording, Spool

Audio = npt.NDArray[np.int16]

MIN_SAMPLES = SAMPLE_RATE // 10  # of a recording: 0.1 s
WORD_SAMPLES = 2 * SAMPLE_RATE  # of a recording of one word that are used: 2 s
MAX_WORD_SAMPLES = 10 * SAMPLE_RATE  # a longer recording has more than one word: 10 s
_FRAME_SAMPLES = SAMPLE_RATE // 100  # 10 ms


def counted(paths: Iterable[Path], on_file: Callable[[int, int], None] | None) -> Iterator[Path]:
    """These paths. on_file: called after each is used, with the number of those that are, and of all."""
    every = list(paths)
    for done, path in enumerate(every, 1):
        yield path
        if on_file:
            on_file(done, len(every))


class Reader:
    """Reads recordings. Those of single words stay in memory.

    left_out: the recordings that could not be used so far, with reasons. remarks: oddities of used ones.
    """

    def __init__(self) -> None:
        self.left_out: dict[Path, str] = {}
        self.remarks: list[str] = []
        self._words: dict[Path, Audio] = {}
        self._reported = 0

    def word(self, path: Path) -> Audio | None:
        """A recording of one word, (n,), or the loudest two seconds of it; None if it is left out."""
        if path not in self._words and path not in self.left_out:
            audio = self.utterance(path)
            if audio is not None:
                self._words[path] = loudest(audio, WORD_SAMPLES)
        return self._words.get(path)

    def utterance(self, path: Path) -> Audio | None:
        """A recording of one word, whole, (n,); None if it is left out."""
        audio = self.sound(path, MAX_WORD_SAMPLES)
        if audio is None or len(audio) <= MAX_WORD_SAMPLES:
            return audio
        self.left_out[path] = (
            f"it is longer than one word, more than {MAX_WORD_SAMPLES // SAMPLE_RATE} s; cut it into clips"
        )
        return None

    def sound(self, path: Path, longest: int | None = None) -> Audio | None:
        """Any recording, (n,); None if it is left out. Reading ends after `longest` samples."""
        remarks: list[str] = []
        try:
            audio = read_audio(path, remarks.append, longest)
        except (UsageError, AudioError) as error:
            self.left_out[path] = str(error)
            return None
        return audio if self._is_usable(path, remarks, len(audio), bool(audio.any())) else None

    def recording(self, path: Path, spool: Spool) -> Recording | None:
        """Any recording, of any length, in the spool; None if it is left out."""
        remarks: list[str] = []
        loud = False

        def watched(chunks: Iterable[Audio]) -> Iterator[Audio]:
            nonlocal loud
            for chunk in chunks:
                loud = loud or bool(chunk.any())
                yield chunk

        try:
            recording = spool.add(watched(stream_audio(path, remarks.append)))
        except (UsageError, AudioError) as error:
            self.left_out[path] = str(error)
            return None
        return recording if self._is_usable(path, remarks, len(recording), loud) else None

    def recordings(self, paths: Iterable[Path]) -> list[Recording]:
        """The recordings that can be used, in one spool."""
        spool = Spool()
        return [found for path in paths if (found := self.recording(path, spool)) is not None]

    def samples(self, paths: Iterable[Path]) -> Audio:
        """The recordings that can be used, one after another, (n,), in a spool."""
        spool = Spool()
        for path in paths:
            if (audio := self.sound(path)) is not None:
                spool.add([audio])
        return spool.samples()

    def _is_usable(self, path: Path, remarks: list[str], length: int, loud: bool) -> bool:
        """Whether a recording can be used. length: in samples. loud: not all samples are 0."""
        damaged = [remark for remark in remarks if NOT_NUMBERS in remark]
        if damaged:
            self.left_out[path] = damaged[0].partition(":")[0]
        elif not length:
            self.left_out[path] = "it is empty"
        elif length < MIN_SAMPLES:
            self.left_out[path] = f"it is only {length / SAMPLE_RATE:.2g} s long"
        elif not loud:
            self.left_out[path] = "; ".join(("it is silent", *remarks))
        else:
            self.remarks += remarks
            return True
        return False

    def sounds(self, paths: Iterable[Path]) -> list[Audio]:
        """The recordings that can be used, in memory."""
        return [audio for path in paths if (audio := self.sound(path)) is not None]

    def unreported(self) -> tuple[list[tuple[Path, str]], list[str]]:
        """The recordings left out, with reasons, and the remarks since the last call."""
        left_out, remarks = list(self.left_out.items())[self._reported :], self.remarks
        self._reported, self.remarks = len(self.left_out), []
        return left_out, list(dict.fromkeys(remarks))


def loudest(audio: Audio, length: int) -> Audio:
    """The `length` samples with the most energy, (n,); the middle one of equally loud pieces."""
    if len(audio) <= length:
        return audio
    frames = (
        audio[: len(audio) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES).astype(np.float64)
    )
    energy = np.concatenate(([0.0], np.cumsum((frames**2).sum(axis=1))))
    count = length // _FRAME_SAMPLES
    held = energy[count:] - energy[:-count]
    best = np.flatnonzero(held >= 0.99 * held.max())
    start = int(best[len(best) // 2]) * _FRAME_SAMPLES
    return audio[start : start + length].copy()
