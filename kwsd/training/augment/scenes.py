"""Training examples ("scenes"): a word somewhere in a few seconds of silence, noise or other speech."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE, to_float32, to_int16
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.bandwidth import narrowed
from kwsd.training.augment.reverb import random_room, reverberated
from kwsd.training.augment.voice import converted
from kwsd.training.augment.words import Audio, Floats, rms, say_within, word_alone, word_span

VALIDATION_SNR = (0, 15)  # dB, lowest and highest, of the validation clips that are repeated in noise


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

    def draw(self, count: int, random: np.random.Generator) -> SceneBatch:
        """`count` examples, augmented; all randomness comes from `random`."""
        a = self.augmentation
        audio = np.zeros((count, self.length), np.float32)
        keyword = random.random(count) < a.keyword_share
        onset = np.zeros(count, int)
        end = np.zeros(count, np.float32)
        for row in range(count):
            scene = audio[row]
            fluent = random.random() < a.fluent
            if fluent or random.random() < a.background_speech:
                self._fill_with_speech(scene, random)
            if keyword[row]:
                clip, end[row] = self._say(_choice(self.keyword, random), scene, fluent, random)
                onset[row] = clip.start
            elif self.hard and random.random() < a.hard_share:
                piece, _ = self._voiced(_piece(_choice(self.hard, random), self.length, random), random)
                clip = self._place(piece, scene, random)
            elif random.random() < a.speech_alone:
                self._fill_with_speech(scene, random)
                start = int(random.integers(max(1, self.length - SAMPLE_RATE)))
                clip = slice(start, start + SAMPLE_RATE)
            else:
                clip, _ = self._say(_choice(self.others, random), scene, fluent, random)
            self.disguise(scene, random)
            if not fluent and random.random() < a.cut_out:
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

    def _say(
        self, clip: Audio, scene: Floats, fluent: bool, random: np.random.Generator
    ) -> tuple[slice, float]:
        """Put a word into the example: its whole clip, or within fluent speech the word alone.

        Returns which part of the example was replaced, and when the word ends, in seconds into the example.
        """
        word, tempo = self._timed(clip, random)
        start, end = (seconds / tempo for seconds in word_span(clip))
        if not fluent:
            part = self._place(word, scene, random)
            return part, part.start / SAMPLE_RATE + end
        word, end = word_alone(word, start, end)
        gain = random.uniform(*self.augmentation.fluent_level)
        part = self._part(len(word), random)
        say_within(scene, part.start, word, gain)
        return part, part.start / SAMPLE_RATE + end

    def _place(self, clip: Floats, scene: Floats, random: np.random.Generator) -> slice:
        """Replace a part of the example, at a random position, by a clip. Returns which part."""
        part = self._part(len(clip), random)
        scene[part] = clip[: part.stop - part.start]
        return part

    def _part(self, length: int, random: np.random.Generator) -> slice:
        """`length` samples of an example, or less if it ends before, from a random position on."""
        before, after = (int(s * SAMPLE_RATE) for s in (self.augmentation.before, self.augmentation.after))
        start = int(random.integers(before, max(before + 1, self.length - length - after)))
        return slice(start, min(start + length, self.length))

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
        level = rms(scene) or a.silence_level
        loudness = rms(noise)
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
