"""All recordings of a training run, read once and held in memory (about 320 MB for 10,000 clips)."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import UsageError
from kwsd.training.dataset import NOISE_FOLDER, Clip, files_of, read_audio, read_clips, read_tree
from kwsd.training.scenes import SceneMaker, in_noise

Audio = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Recordings:
    """Clips of a Speech Commands tree, noise and running speech, each side of every split apart."""

    keyword: str
    tree: list[Clip]
    noise: tuple[Path, ...]
    speech: tuple[Path, ...]
    hard: tuple[Path, ...] = ()

    @classmethod
    def read(
        cls,
        data: Path,
        keyword: str,
        noise: tuple[Path, ...],
        speech: tuple[Path, ...],
        hard: tuple[Path, ...] = (),
    ) -> "Recordings":
        """Find the recordings. Raises UsageError for folders that are absent or hold none."""
        return cls(keyword, read_tree(data, keyword), (data / NOISE_FOLDER, *noise), speech, hard)

    def clips(self, split: str) -> tuple[Audio, Audio]:
        """Audio of the clips with and without the keyword, each (clips, samples).

        Raises UsageError where the split has none of either.
        """
        keyword, others = self._words(split)
        return read_clips(keyword), read_clips(others)

    def _words(self, split: str) -> tuple[list[Clip], list[Clip]]:
        chosen = [clip for clip in self.tree if clip.split == split]
        keyword = [clip for clip in chosen if clip.word == self.keyword]
        others = [clip for clip in chosen if clip.word != self.keyword]
        if not keyword or not others:
            raise UsageError(
                f"the {split} split has {len(keyword)} clips of '{self.keyword}' and {len(others)} others; "
                "it needs both"
            )
        return keyword, others

    def validation(self) -> tuple[Audio, Audio]:
        """The validation clips as they are and once more in noise of 0 to 15 dB, keyword and others.

        In noise there are mistakes enough to tell two epochs apart where there are next to none without.
        """
        random = np.random.default_rng(0)
        noise = [read_audio(path) for folder in self.noise[1:] for path in files_of(folder, "validation")]
        noise = noise or self._background()
        keyword, others = self.clips("validation")
        if not noise:
            return keyword, others
        return tuple(np.concatenate((clips, in_noise(clips, noise, random))) for clips in (keyword, others))  # type: ignore[return-value]

    def _background(self) -> list[Audio]:
        return [read_audio(path) for path in files_of(self.noise[0])] if self.noise[0].is_dir() else []

    def scenes(self) -> SceneMaker:
        """Scenes of the training split of everything."""
        keyword, others = ([read_audio(clip.path) for clip in words] for words in self._words("training"))
        noise = self._background()
        noise += [read_audio(path) for folder in self.noise[1:] for path in files_of(folder, "training")]
        speech = [read_audio(path) for folder in self.speech for path in files_of(folder, "training")]
        hard = [read_audio(path) for folder in self.hard for path in files_of(folder)]
        return SceneMaker(keyword, others, noise, speech, hard)

    def facts(self) -> dict[str, Any]:
        """What the run used, for the model's card."""
        counts = Counter((clip.split, clip.word == self.keyword) for clip in self.tree)
        splits = {split for split, _ in counts}
        return {
            "clips": {s: {"keyword": counts[s, True], "others": counts[s, False]} for s in sorted(splits)},
            "noise": [folder.name for folder in self.noise],
            "speech": [folder.name for folder in self.speech],
        }
