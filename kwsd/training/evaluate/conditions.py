"""What streams stand in, noise and rooms; and streams without the keyword, made as they are heard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kwsd.pcm import FULL_SCALE, SAMPLE_RATE, to_int16
from kwsd.training.augment.reverb import reverberated
from kwsd.training.data.spool import Audio, Recording

Sound = Audio | Recording
Floats = npt.NDArray[np.float32]  # in steps of int16

BLOCK = 120 * SAMPLE_RATE  # samples of a stream that are in memory at once
FRAME = SAMPLE_RATE // 100  # samples whose level is measured


@dataclass(frozen=True)
class Surroundings:
    """What the streams stand in. snr: dB of the speech above the noise. rooms: impulse responses."""

    noise: Sequence[Sound]
    snr: float | None
    rooms: Sequence[Audio]


NOWHERE = Surroundings([], None, [])


class Negative:
    """A stream without the keyword: recordings end to end, in the same noise and rooms as the positives.

    It is the same each time it is heard: all that is random is drawn when it is made.
    """

    def __init__(
        self, recordings: Sequence[Sound], around: Surroundings, random: np.random.Generator
    ) -> None:
        self._recordings = recordings
        self._length = sum(map(len, recordings))
        self._snr = around.snr
        self._noise = Piece(around.noise, self._length, random) if around.snr is not None else None
        self._room = random_room_of(around.rooms, random)

    def __len__(self) -> int:
        return self._length

    def blocks(self) -> Iterator[Audio]:
        """The stream in pieces of BLOCK samples, the last one shorter."""
        gain = self._gain() if self._noise else 0.0
        before: Floats = np.empty(0, np.float32)
        for start in range(0, self._length, BLOCK):
            audio = self._dry(start)
            if self._noise is None and self._room is None:
                yield audio
                continue
            mixed = audio.astype(np.float32)
            if self._noise:
                mixed += np.float32(gain) * self._noise.part(start, len(audio))
            wet = in_a_room(mixed, self._room, before)
            before = mixed
            yield to_int16(wet / FULL_SCALE)

    def _dry(self, start: int) -> Audio:
        """A block of the recordings."""
        parts, stop = [], start + BLOCK
        for recording in self._recordings:
            parts.append(recording[max(0, start) : max(0, stop)])
            start, stop = start - len(recording), stop - len(recording)
        return np.concatenate(parts)

    def _gain(self) -> float:
        """Of the noise, for its level below the speech's."""
        assert self._noise
        assert self._snr is not None
        starts = range(0, self._length, BLOCK)
        power = np.concatenate([frame_powers(self._dry(start)) for start in starts])
        noise = 0.0
        for start in starts:
            part = self._noise.part(start, min(BLOCK, self._length - start)).astype(np.float64)
            noise += float(part.dot(part))
        return snr_gain(power, noise / self._length, self._snr)


class Piece:
    """A random stretch of one of the recordings, repeated where it is too short; silence without any."""

    def __init__(self, recordings: Sequence[Sound], length: int, random: np.random.Generator) -> None:
        """length: in samples."""
        self._recording: Sound = np.zeros(1, np.int16)
        self._start = 0
        if recordings:
            self._recording = recordings[int(random.integers(len(recordings)))]
            self._start = int(random.integers(max(1, len(self._recording) - length + 1)))
        self._period = min(length, len(self._recording) - self._start)

    def part(self, start: int, length: int) -> Floats:
        """So many samples of it, from `start` on."""
        parts = []
        while length > 0:
            at = self._start + start % self._period
            count = min(length, self._start + self._period - at)
            parts.append(self._recording[at : at + count])
            start, length = start + count, length - count
        return np.concatenate([np.empty(0, np.int16), *parts]).astype(np.float32)


def random_room_of(rooms: Sequence[Audio], random: np.random.Generator) -> Audio | None:
    """One of these impulse responses, if there are any."""
    return rooms[int(random.integers(len(rooms)))] if rooms else None


def in_a_room(audio: Floats, room: Audio | None, before: Floats | None = None) -> Floats:
    """Audio, (n,), as a room of this impulse response gives it back, without its delay.

    before: what was heard before it, for the room to give back.
    """
    if room is None:
        return audio
    response = room.astype(np.float32)
    return reverberated(audio, response[np.abs(response).argmax() :], before)


def frame_powers(audio: Audio) -> npt.NDArray[np.float64]:
    """Mean power of each 10 ms."""
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    power: npt.NDArray[np.float64] = (frames**2).mean(axis=1)
    return power


def snr_gain(speech: npt.NDArray[np.float64], noise: float, snr: float) -> float:
    """What noise of this power is multiplied by to be `snr` dB under the speech.

    speech: power of each frame. What counts is its louder half: its words, not its pauses.
    """
    voiced = speech[speech >= np.median(speech)].mean()
    return float(np.sqrt(voiced / max(1.0, noise) * 10 ** (-snr / 10)))
