"""Reads many recordings: what cannot be used is left out and remembered, with the reason."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kwsd.audio.file import NOT_NUMBERS
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.training.data.speech_commands import read_audio, stream_audio
from kwsd.training.data.spool import Recording, Spool

Audio = npt.NDArray[np.int16]

SHORTEST = SAMPLE_RATE // 10  # samples
WORD = 2 * SAMPLE_RATE  # samples of a recording of one word that are used
LONGEST_WORD = 10 * SAMPLE_RATE  # samples: what is longer holds more than one word
_FRAME = SAMPLE_RATE // 100


class Reader:
    """Reads recordings; those of words are kept in memory.

    left_out: the recordings that could not be used so far, and why not. remarks: what is odd about others.
    """

    def __init__(self) -> None:
        self.left_out: dict[Path, str] = {}
        self.remarks: list[str] = []
        self._words: dict[Path, Audio] = {}
        self._reported = 0

    def word(self, path: Path) -> Audio | None:
        """A recording of one word, its loudest two seconds where it is longer; None where it is left out."""
        if path not in self._words and path not in self.left_out:
            audio = self.utterance(path)
            if audio is not None:
                self._words[path] = loudest(audio, WORD)
        return self._words.get(path)

    def utterance(self, path: Path) -> Audio | None:
        """A recording of one word, as long as it is, (n,); None where it is left out."""
        audio = self.sound(path, LONGEST_WORD)
        if audio is None or len(audio) <= LONGEST_WORD:
            return audio
        self.left_out[path] = (
            f"it is longer than one word, more than {LONGEST_WORD // SAMPLE_RATE} s; cut it into clips"
        )
        return None

    def sound(self, path: Path, longest: int | None = None) -> Audio | None:
        """Any recording, (n,), not read on after `longest` samples; None where it is left out."""
        remarks: list[str] = []
        try:
            audio = read_audio(path, remarks.append, longest)
        except (UsageError, AudioError) as error:
            self.left_out[path] = str(error)
            return None
        return audio if self._is_usable(path, remarks, len(audio), bool(audio.any())) else None

    def recording(self, path: Path, spool: Spool) -> Recording | None:
        """Any recording, in the spool, however long it is; None where it is left out."""
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
        """The recordings that can be used, in a spool of theirs."""
        spool = Spool()
        return [found for path in paths if (found := self.recording(path, spool)) is not None]

    def _is_usable(self, path: Path, remarks: list[str], length: int, loud: bool) -> bool:
        """Leave it out, or remember what is odd about it. length: samples. loud: one of them is not 0."""
        damaged = [remark for remark in remarks if NOT_NUMBERS in remark]
        if damaged:
            self.left_out[path] = damaged[0].partition(":")[0]
        elif not length:
            self.left_out[path] = "it is empty"
        elif length < SHORTEST:
            self.left_out[path] = f"it lasts {length / SAMPLE_RATE:.2g} s only"
        elif not loud:
            self.left_out[path] = "; ".join(("it is silent", *remarks))
        else:
            self.remarks += remarks
            return True
        return False

    def sounds(self, paths: Iterable[Path]) -> list[Audio]:
        """The recordings that can be used."""
        return [audio for path in paths if (audio := self.sound(path)) is not None]

    def unreported(self) -> tuple[list[tuple[Path, str]], list[str]]:
        """What was left out, and what was odd, since this was called last."""
        left_out, remarks = list(self.left_out.items())[self._reported :], self.remarks
        self._reported, self.remarks = len(self.left_out), []
        return left_out, list(dict.fromkeys(remarks))


def loudest(audio: Audio, length: int) -> Audio:
    """The `length` samples with the most energy, (n,); of several such pieces the one in their middle."""
    if len(audio) <= length:
        return audio
    frames = audio[: len(audio) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    energy = np.concatenate(([0.0], np.cumsum((frames**2).sum(axis=1))))
    count = length // _FRAME
    held = energy[count:] - energy[:-count]
    best = np.flatnonzero(held >= 0.99 * held.max())
    start = int(best[len(best) // 2]) * _FRAME
    return audio[start : start + length].copy()
