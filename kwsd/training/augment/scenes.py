"""Training scenes: a word somewhere in a few seconds of silence, noise or other speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE, to_float32, to_int16
from kwsd.runtime.frontend import HOP
from kwsd.training.augment.bandwidth import narrowed
from kwsd.training.augment.reverb import random_room, reverberated
from kwsd.training.augment.voice import revoiced

SCENE = int(2.5 * SAMPLE_RATE)  # samples, at least
_BEFORE = int(0.2 * SAMPLE_RATE)  # samples of a scene, at least, before a word's clip
_AFTER = int(0.15 * SAMPLE_RATE)  # and after it
_ROOM = int(1.5 * SAMPLE_RATE)  # samples of a scene beyond the longest clip, at least
KEYWORD_SHARE = 0.4  # of scenes
HARD_SHARE = 0.2  # of scenes without the keyword, where there are hard clips
REVERBERANT = 0.25  # share of scenes in a room

Audio = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SceneBatch:
    """audio: (batch, samples) float32. keyword: (batch,) bool.

    onset, end: (batch,) seconds into the scene where the word's clip starts and where the word itself ends.
    """

    audio: Floats
    keyword: npt.NDArray[np.bool_]
    onset: Floats
    end: Floats


def word_end(clip: Audio) -> float:
    """Seconds from a clip's start to the word's end: the last frame within 60 % of its level range (dB)."""
    frames = clip[: len(clip) // HOP * HOP].reshape(-1, HOP).astype(np.float64)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1)
    level = np.convolve(level, np.ones(5) / 5, mode="same")
    floor, peak = np.quantile(level, 0.1), level.max()
    return float((np.flatnonzero(level >= peak - 0.6 * (peak - floor))[-1] + 1) * HOP / SAMPLE_RATE)


class SceneMaker:
    """Draws scenes without end from clips of the keyword, of other words, noise and running speech.

    All audio is int16, mono, 16 kHz. keyword, others: clips of a word each. speech: recordings without the
    keyword; pieces of them are negatives, and context around words. hard: clips that a model took for the
    keyword (kwsd.training.evaluate.mining). revoiced: share of the words and hard clips that another speaker
    says.
    narrow: share of the scenes whose microphone hears no high frequencies.
    """

    def __init__(
        self,
        keyword: Sequence[Audio],
        others: Sequence[Audio],
        noise: Sequence[Audio],
        speech: Sequence[Audio],
        hard: Sequence[Audio] = (),
        revoiced: float = 0.0,
        narrow: float = 0.0,
    ) -> None:
        self.keyword, self.others, self.noise, self.hard = keyword, others, noise, hard
        self.revoiced, self.narrow = revoiced, narrow
        self.speech = np.concatenate([np.empty(0, np.int16), *speech])
        self.length = max(SCENE, max(map(len, keyword)) + _ROOM)  # samples of a scene
        self._ends = np.array([word_end(clip) for clip in keyword], np.float32)

    def draw(self, count: int, random: np.random.Generator) -> SceneBatch:
        """`count` scenes, augmented; all randomness from `random`."""
        audio = np.zeros((count, self.length), np.float32)
        keyword = random.random(count) < KEYWORD_SHARE
        onset = np.zeros(count, int)
        end = np.zeros(count, np.float32)
        for row in range(count):
            scene = audio[row]
            if random.random() < 0.6:
                self._fill_with_speech(scene, random)
            if keyword[row]:
                index = int(random.integers(len(self.keyword)))
                word, tempo = self._play(self.keyword[index], random)
                onset[row] = self._lay(word, scene, random)
                end[row] = onset[row] / SAMPLE_RATE + self._ends[index] / tempo
            elif self.hard and random.random() < HARD_SHARE:
                piece, _ = self._said(_piece(_any(self.hard, random), self.length, random), random)
                self._lay(piece, scene, random)
            elif random.random() < 0.3:
                self._fill_with_speech(scene, random)
            else:
                word, _ = self._play(_any(self.others, random), random)
                self._lay(word, scene, random)
            self._add_noise(scene, random)
            if random.random() < REVERBERANT:
                scene[:] = reverberated(scene, random_room(random))
            if random.random() < self.narrow:
                scene[:] = narrowed(scene, random)
            scene *= 10 ** (random.uniform(-18, 6) / 20)
        return SceneBatch(np.clip(audio, -1, 1), keyword, (onset / SAMPLE_RATE).astype(np.float32), end)

    def _lay(self, clip: Floats, scene: Floats, random: np.random.Generator) -> int:
        """Put a clip over what is in the scene, anywhere that leaves some of it around; where it starts."""
        start = int(random.integers(_BEFORE, max(_BEFORE + 1, self.length - len(clip) - _AFTER)))
        clip = clip[: self.length - start]
        scene[start : start + len(clip)] = clip
        return start

    def _play(self, clip: Audio, random: np.random.Generator) -> tuple[Floats, float]:
        """A clip at its own tempo or, half of the time, up to a fifth slower or faster (pitch too)."""
        samples, pace = self._said(to_float32(clip), random)
        if random.random() < 0.5:
            return samples, 1 / pace
        tempo = random.uniform(0.8, 1.2)
        positions = np.arange(0, len(samples) - 1, tempo)
        played: Floats = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
        return played, tempo / pace

    def _said(self, clip: Floats, random: np.random.Generator) -> tuple[Floats, float]:
        """A clip by its own speaker or another, and how much longer that takes."""
        return revoiced(clip, random) if random.random() < self.revoiced else (clip, 1.0)

    def _fill_with_speech(self, scene: Floats, random: np.random.Generator) -> None:
        """Lay running speech or isolated words end to end over the whole scene."""
        if len(self.speech) and random.random() < 0.6:
            piece = _piece(self.speech, self.length, random)
            scene[: len(piece)] = piece
            return
        at = -int(random.integers(0, SAMPLE_RATE))
        while at < self.length:
            word = to_float32(_any(self.others, random))
            lo, hi = max(0, at), max(0, min(self.length, at + len(word)))
            scene[lo:hi] = word[lo - at : hi - at]
            at += int(random.uniform(0.55, 1.0) * SAMPLE_RATE)  # words run into each other, as in speech

    def _add_noise(self, scene: Floats, random: np.random.Generator) -> None:
        """Add a stretch of noise at -5 to 35 dB below the scene's speech, four times of five."""
        if not self.noise or random.random() < 0.2:
            return
        noise = _piece(_any(self.noise, random), self.length, random)
        level = np.sqrt((scene**2).mean()) or 0.03
        loudness = np.sqrt((noise**2).mean())
        if loudness > 0:
            scene[: len(noise)] += noise * (level / loudness * 10 ** (-random.uniform(-5, 35) / 20))


def in_noise(clips: Audio, noise: list[Audio], random: np.random.Generator) -> Audio:
    """The clips (n, samples) in noise, each 0 to 15 dB below its clip's loudest tenth of a second."""
    mixed = to_float32(clips)
    for clip in mixed:
        added = _piece(noise[random.integers(len(noise))], len(clip), random)
        peak = (clip[: len(clip) // 1600 * 1600].reshape(-1, 1600) ** 2).mean(axis=1).max()
        gain = np.sqrt(peak / max(1e-9, float((added**2).mean()))) * 10 ** (-random.uniform(0, 15) / 20)
        clip[: len(added)] += gain * added
    return to_int16(mixed)


def _any(clips: Sequence[Audio], random: np.random.Generator) -> Audio:
    return clips[int(random.integers(len(clips)))]


def _piece(recording: Audio, length: int, random: np.random.Generator) -> Floats:
    """A random stretch of `length` samples, or the whole where it is shorter, float32 in [-1, 1]."""
    start = random.integers(max(1, len(recording) - length + 1))
    return to_float32(recording[start : start + length])
