"""A pool of training examples as log-mel frames.

Each example is used often, because making one takes longer than training on it. Examples come in chunks from
an endless sequence. The pool holds a few consecutive chunks, and each epoch adds the next. Chunk k depends
only on the seed and k, so a resumed run uses the same examples as an uninterrupted one.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kwsd.runtime.frontend import N_MELS, POWER_FLOOR
from kwsd.training.augment.features import LogMel, SpecAugment
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.parallel import parallel

CPU = torch.device("cpu")
_PART = 128  # examples that go through the front end at once


@dataclass(frozen=True)
class Scenes:
    """Training examples. frames: (n, time, mels). keyword: (n,) bool. onset, end: (n,) s, as in SceneBatch.

    annotations: outputs of a teacher for each example, by name, (n, ...) each.
    """

    frames: Tensor
    keyword: Tensor
    onset: Tensor
    end: Tensor
    annotations: dict[str, Tensor]

    def rows(self, index: Tensor) -> "Scenes":
        """The examples at `index`."""
        annotations = {name: values[index] for name, values in self.annotations.items()}
        return Scenes(
            self.frames[index], self.keyword[index], self.onset[index], self.end[index], annotations
        )


Annotator = Callable[[Tensor, Tensor], dict[str, Tensor]]
OnChunk = Callable[[], None]


@dataclass(frozen=True)
class ChunkMaker:
    """Makes the chunks of a pool."""

    scenes: SceneMaker
    seed: int
    annotator: Annotator | None
    front_end: LogMel
    device: torch.device

    def chunk(self, number: int) -> Scenes:
        """A chunk, which depends on the seed and this number alone."""
        augmentation, random = self.scenes.augmentation, np.random.default_rng([self.seed, number])
        parts = []
        with torch.no_grad():
            for start in range(0, augmentation.chunk, _PART):
                drawn = self.scenes.draw(min(_PART, augmentation.chunk - start), random)
                audio, keyword, onset, end = (
                    torch.from_numpy(array).to(self.device)
                    for array in (drawn.audio, drawn.keyword, drawn.onset, drawn.end)
                )
                frames = self.front_end(audio)
                annotations = self.annotator(audio, frames) if self.annotator else {}
                parts.append(Scenes(frames.half(), keyword, onset, end, annotations))
        return joined(parts)


class ScenePool:
    """Draws batches of examples. Frames are kept in float16, 20 MB for a thousand examples.

    annotator: makes annotations from audio (n, samples) and frames (n, time, mels), once for each example.
    first: chunks at the start, instead of Augmentation.first_chunks. device: where the examples are kept.
    """

    def __init__(
        self,
        scenes: SceneMaker,
        seed: int,
        annotator: Annotator | None = None,
        first: int | None = None,
        device: torch.device = CPU,
    ) -> None:
        self._maker = ChunkMaker(scenes, seed, annotator, LogMel().to(device), device)
        self._augmentation = scenes.augmentation
        self._first = first or self._augmentation.first_chunks
        self._chunks: dict[int, Scenes] = {}
        self.device = device
        self._mask = SpecAugment(self._augmentation.masked_bands, self._augmentation.masked_frames)

    def move(self, epoch: int, on_chunk: OnChunk = lambda: None, jobs: int | None = None) -> None:
        """Hold the chunks of `epoch`, counted from 0.

        on_chunk: called after each that is drawn. jobs: as in `parallel`.
        """
        last = self._first + epoch
        self._hold(range(max(0, last - self._augmentation.kept_chunks), last), on_chunk, jobs)

    def _hold(self, wanted: range, on_chunk: OnChunk, jobs: int | None) -> None:
        self._chunks = {k: self._chunks[k] for k in wanted if k in self._chunks}
        missing = [number for number in wanted if number not in self._chunks]
        for number, chunk in zip(missing, parallel(self._maker.chunk, missing, jobs), strict=True):
            self._chunks[number] = chunk
            on_chunk()

    @property
    def chunks(self) -> list[Scenes]:
        """The chunks that it holds."""
        return list(self._chunks.values())

    def pick(self, count: int, random: np.random.Generator) -> Scenes:
        """`count` random examples of one random chunk, unchanged."""
        chunk = self._chunks[int(random.choice(list(self._chunks)))]
        return chunk.rows(self._tensor(random.choice(self._augmentation.chunk, count, replace=False)))

    def batch(self, count: int, random: np.random.Generator) -> Scenes:
        """As `pick`, with random level, spectral tilt and SpecAugment masks."""
        scenes = self.pick(count, random)
        gain, tilt = random.uniform(-1, 1, (2, count, 1, 1)).astype(np.float32)
        slope = self._augmentation.tilt * tilt * np.linspace(-1, 1, N_MELS, dtype=np.float32)
        shift = self._tensor(self._augmentation.gain * gain + slope)
        frames = (scenes.frames.float() + shift * (math.log(10) / 10)).clamp(min=math.log(POWER_FLOOR))
        return Scenes(self._mask(frames), scenes.keyword, scenes.onset, scenes.end, scenes.annotations)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(array).to(self.device)


class StillPool(ScenePool):
    """A pool that always holds the examples of its start, for several short runs."""

    def move(self, epoch: int, on_chunk: OnChunk = lambda: None, jobs: int | None = None) -> None:  # noqa: ARG002
        """Hold the first chunks, in every epoch."""
        self._hold(range(self._first), on_chunk, jobs)


def joined(parts: list[Scenes]) -> Scenes:
    """Several batches of examples as one."""
    frames, keyword, onset, end = (
        torch.cat([getattr(part, name) for part in parts]) for name in ("frames", "keyword", "onset", "end")
    )
    annotations = {
        name: torch.cat([part.annotations[name] for part in parts]) for name in parts[0].annotations
    }
    return Scenes(frames, keyword, onset, end, annotations)
