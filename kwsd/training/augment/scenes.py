"""Training examples ("scenes"): a word somewhere in a few seconds of silence, noise or other speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE, to_float32, to_int16
from kwsd.runtime.frontend import HOP
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.bandwidth import narrowed
from kwsd.training.augment.reverb import random_room, reverberated
from kwsd.training.augment.voice import converted

VALIDATION_SNR = (0, 15)  # dB, lowest and highest, of the validation clips that are repeated in noise

Audio = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SceneBatch:
    """Training examples. audio: (batch, samples) float32. keyword: (batch,) bool.

    onset, end: (batch,) seconds into the example. onset is the start of the clip, which may be before the
    word; end is the end of the word, which may be before that of the clip.
    """

    audio: Floats
    keyword: npt.NDArray[np.bool_]
    onset: Floats
    end: Floats


def word_end(clip: Audio) -> float:
    """Seconds to the end of the word in a clip: to the end of its last loud frame.

    A frame is loud in the upper 60 % of the range of levels, in dB, from the 10 % quantile to the peak.
    """
    frames = clip[: len(clip) // HOP * HOP].reshape(-1, HOP).astype(np.float64)
    level = 10 * np.log10((frames**2).mean(axis=1) + 1)
    level = np.convolve(level, np.ones(5) / 5, mode="same")
    floor, peak = np.quantile(level, 0.1), level.max()
    return float((np.flatnonzero(level >= peak - 0.6 * (peak - floor))[-1] + 1) * HOP / SAMPLE_RATE)


class SceneMaker:
    """Draws any number of training examples from clips of words, noise and running speech.

    All audio is int16, mono, 16 kHz. keyword, others: clips of one word each. speech: running speech without
    the keyword, (n,); pieces of it are negatives, and surround words. hard: hard negatives, clips of the
    false alarms of a model (kwsd.training.evaluate.mining).
    """

    def __init__(
        self,
        keyword: Sequence[Audio],
        others: Sequence[Audio],
        noise: Sequence[Audio],
        speech: Audio,
        hard: Sequence[Audio],
        augmentation: Augmentation,
    ) -> None:
        self.keyword, self.others, self.noise, self.speech, self.hard = keyword, others, noise, speech, hard
        self.augmentation = augmentation
        longest = max(map(len, keyword))
        shortest, spare = (int(s * SAMPLE_RATE) for s in (augmentation.seconds, augmentation.spare))
        self.length = max(shortest, longest + spare)  # samples of an example
        self._ends = np.array([word_end(clip) for clip in keyword], np.float32)

    def draw(self, count: int, random: np.random.Generator) -> SceneBatch:
        """`count` examples, augmented; all randomness comes from `random`."""
        a = self.augmentation
        audio = np.zeros((count, self.length), np.float32)
        keyword = random.random(count) < a.keyword_share
        onset = np.zeros(count, int)
        end = np.zeros(count, np.float32)
        for row in range(count):
            scene = audio[row]
            if random.random() < a.background_speech:
                self._fill_with_speech(scene, random)
            if keyword[row]:
                index = int(random.integers(len(self.keyword)))
                word, tempo = self._timed(self.keyword[index], random)
                clip = self._place(word, scene, random)
                onset[row] = clip.start
                end[row] = clip.start / SAMPLE_RATE + self._ends[index] / tempo
            elif self.hard and random.random() < a.hard_share:
                piece, _ = self._voiced(_piece(_choice(self.hard, random), self.length, random), random)
                clip = self._place(piece, scene, random)
            elif random.random() < a.speech_alone:
                self._fill_with_speech(scene, random)
                start = int(random.integers(max(1, self.length - SAMPLE_RATE)))
                clip = slice(start, start + SAMPLE_RATE)
            else:
                word, _ = self._timed(_choice(self.others, random), random)
                clip = self._place(word, scene, random)
            self.disguise(scene, random)
            if random.random() < a.cut_out:
                scene[: clip.start] = scene[clip.stop :] = 0
        return SceneBatch(audio, keyword, (onset / SAMPLE_RATE).astype(np.float32), end)

    def disguise(self, scene: Floats, random: np.random.Generator) -> None:
        """Change audio (n,) at random, in place: noise, reverb, no high frequencies, level."""
        a = self.augmentation
        self._add_noise(scene, random)
        if random.random() < a.reverberant:
            scene[:] = reverberated(scene, random_room(random, a))
        if random.random() < a.narrow:
            scene[:] = narrowed(scene, random, a)
        scene *= 10 ** (random.uniform(*a.level) / 20)
        np.clip(scene, -1, 1, out=scene)

    def _place(self, clip: Floats, scene: Floats, random: np.random.Generator) -> slice:
        """Replace a part of the example, at a random position, by a clip. Returns which part."""
        before, after = (int(s * SAMPLE_RATE) for s in (self.augmentation.before, self.augmentation.after))
        start = int(random.integers(before, max(before + 1, self.length - len(clip) - after)))
        clip = clip[: self.length - start]
        place = slice(start, start + len(clip))
        scene[place] = clip
        return place

    def _timed(self, clip: Audio, random: np.random.Generator) -> tuple[Floats, float]:
        """A clip at its own or a random tempo, and how many times as fast it is. Tempo changes pitch, too."""
        samples, pace = self._voiced(to_float32(clip), random)
        if random.random() < 1 - self.augmentation.retimed:
            return samples, 1 / pace
        tempo = random.uniform(*self.augmentation.tempo)
        positions = np.arange(0, len(samples) - 1, tempo)
        played: Floats = np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)
        return played, tempo / pace

    def _voiced(self, clip: Floats, random: np.random.Generator) -> tuple[Floats, float]:
        """A clip in its own or a converted voice, and the factor by which it is longer."""
        a = self.augmentation
        return converted(clip, random, a) if random.random() < a.voice_converted else (clip, 1.0)

    def _fill_with_speech(self, scene: Floats, random: np.random.Generator) -> None:
        """Fill the whole example with running speech, or with separate words one after another."""
        a = self.augmentation
        if len(self.speech) and random.random() < a.running_speech:
            piece = _piece(self.speech, self.length, random)
            scene[: len(piece)] = piece
            return
        at = -int(random.integers(0, SAMPLE_RATE))
        while at < self.length:
            word = to_float32(_choice(self.others, random))
            lo, hi = max(0, at), max(0, min(self.length, at + len(word)))
            scene[lo:hi] = word[lo - at : hi - at]
            # less than a clip's length, so the next clip replaces the end of this one, mostly silence
            at += int(random.uniform(*a.word_spacing) * SAMPLE_RATE)

    def _add_noise(self, scene: Floats, random: np.random.Generator) -> None:
        """Add noise to a share of the examples."""
        a = self.augmentation
        if not self.noise or random.random() < 1 - a.noisy:
            return
        noise = _piece(_choice(self.noise, random), self.length, random)
        level = np.sqrt((scene**2).mean()) or a.silence_level
        loudness = np.sqrt((noise**2).mean())
        if loudness > 0:
            scene[: len(noise)] += noise * (level / loudness * 10 ** (-random.uniform(*a.noise_snr) / 20))


def in_noise(clips: Audio, noise: list[Audio], random: np.random.Generator) -> Audio:
    """The clips (n, samples) in noise, at a VALIDATION_SNR relative to the loudest 0.1 s of each."""
    mixed = to_float32(clips)
    for clip in mixed:
        added = _piece(noise[random.integers(len(noise))], len(clip), random)
        peak = (clip[: len(clip) // 1600 * 1600].reshape(-1, 1600) ** 2).mean(axis=1).max()
        gain = np.sqrt(peak / max(1e-9, float((added**2).mean())))
        clip[: len(added)] += gain * 10 ** (-random.uniform(*VALIDATION_SNR) / 20) * added
    return to_int16(mixed)


def _choice(clips: Sequence[Audio], random: np.random.Generator) -> Audio:
    return clips[int(random.integers(len(clips)))]


def _piece(recording: Audio, length: int, random: np.random.Generator) -> Floats:
    """`length` samples from a random position, or all if there are fewer, float32 in [-1, 1]."""
    start = random.integers(max(1, len(recording) - length + 1))
    return to_float32(recording[start : start + length])
