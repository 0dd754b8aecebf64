"""A pool of scenes as frames: drawing a scene costs more than training on it, so each is used several times.

Scenes come in chunks from an endless sequence, of which the pool is a window that moves on by one chunk an
epoch. Chunk k depends on the seed and k alone, so a resumed run sees what an unbroken one would have seen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kwsd.runtime.frontend import N_MELS, POWER_FLOOR
from kwsd.training.augment.features import LogMel, SpecAugment
from kwsd.training.augment.scenes import SceneMaker

_PART = 128  # scenes turned into frames at once
_GAIN = 6.0  # dB by which a scene's level differs from use to use, at most
_TILT = 6.0  # dB by which its lowest and highest band do, in opposite directions, at most


@dataclass(frozen=True)
class Scenes:
    """frames: (n, time, mels). keyword: (n,) bool. onset, end: (n,) seconds, as in SceneBatch.

    notes: what else is known of each scene, (n, ...) each: a teacher's answers.
    """

    frames: Tensor
    keyword: Tensor
    onset: Tensor
    end: Tensor
    notes: dict[str, Tensor]

    def rows(self, index: Tensor) -> "Scenes":
        """The scenes at `index`."""
        notes = {name: note[index] for name, note in self.notes.items()}
        return Scenes(self.frames[index], self.keyword[index], self.onset[index], self.end[index], notes)


Annotate = Callable[[Tensor, Tensor], dict[str, Tensor]]


class ScenePool:
    """Batches of scenes without end. Frames are kept in float16, 20 MB for a thousand scenes.

    chunk: scenes. first: chunks at the start; one more comes with each epoch, beyond `limit` the oldest goes.
    annotate: from audio (n, samples) and frames (n, time, mels) to notes, called once for every scene.
    """

    def __init__(
        self,
        scenes: SceneMaker,
        seed: int,
        annotate: Annotate | None = None,
        first: int = 6,
        limit: int = 16,
        chunk: int = 1024,
    ) -> None:
        self._scenes, self._seed, self._annotate = scenes, seed, annotate
        self._first, self._limit, self._chunk = first, limit, chunk
        self._chunks: dict[int, Scenes] = {}
        self._front_end, self._augment = LogMel(), SpecAugment()

    def move(self, epoch: int) -> None:
        """Hold the chunks of `epoch`, counted from 0."""
        last = self._first + epoch
        wanted = range(max(0, last - self._limit), last)
        kept = {k: self._chunks[k] for k in wanted if k in self._chunks}
        self._chunks = kept | {k: self._draw(k) for k in wanted if k not in kept}

    def pick(self, count: int, random: np.random.Generator) -> Scenes:
        """`count` scenes at random from one chunk, as they were drawn."""
        chunk = self._chunks[int(random.choice(list(self._chunks)))]
        return chunk.rows(torch.from_numpy(random.choice(self._chunk, count, replace=False)))

    def batch(self, count: int, random: np.random.Generator) -> Scenes:
        """As `pick`; level, tilt and SpecAugment masks are drawn anew."""
        scenes = self.pick(count, random)
        gain, tilt = random.uniform(-1, 1, (2, count, 1, 1)).astype(np.float32)
        shift = torch.from_numpy(_GAIN * gain + _TILT * tilt * np.linspace(-1, 1, N_MELS, dtype=np.float32))
        frames = (scenes.frames.float() + shift * (math.log(10) / 10)).clamp(min=math.log(POWER_FLOOR))
        return Scenes(self._augment(frames), scenes.keyword, scenes.onset, scenes.end, scenes.notes)

    def _draw(self, number: int) -> Scenes:
        random = np.random.default_rng([self._seed, number])
        parts = []
        with torch.no_grad():
            for start in range(0, self._chunk, _PART):
                drawn = self._scenes.draw(min(_PART, self._chunk - start), random)
                audio = torch.from_numpy(drawn.audio)
                frames = self._front_end(audio)
                notes = self._annotate(audio, frames) if self._annotate else {}
                keyword, onset, end = map(torch.from_numpy, (drawn.keyword, drawn.onset, drawn.end))
                parts.append(Scenes(frames.half(), keyword, onset, end, notes))
        return joined(parts)


class StillPool(ScenePool):
    """A pool that keeps the scenes it starts with: many short runs share them."""

    def move(self, epoch: int) -> None:  # noqa: ARG002
        """Hold the chunks of the first epoch."""
        super().move(0)


def joined(parts: list[Scenes]) -> Scenes:
    """Several lots of scenes as one."""
    frames, keyword, onset, end = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("frames", "keyword", "onset", "end")
    )
    notes = {name: torch.cat([part.notes[name] for part in parts]) for name in parts[0].notes}
    return Scenes(frames, keyword, onset, end, notes)
