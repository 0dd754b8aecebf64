"""The recordings of a training run. Clips are read once and kept in memory, 320 MB for 10,000."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import UsageError
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.scenes import SceneMaker, in_noise
from kwsd.training.data.reader import Reader, counted
from kwsd.training.data.speech_commands import NOISE_FOLDER, Clip, clips_of, files_of, padded, read_tree

Audio = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Recordings:
    """Clips of a Speech Commands tree, noise, running speech and hard negatives, by split."""

    keyword: str
    tree: list[Clip]
    background: Path | None  # the folder of the tree's own noise, which has no splits
    noise: tuple[Path, ...]
    speech: tuple[Path, ...]
    hard: tuple[Path, ...] = ()  # files
    synthetic: bool = False
    reader: Reader = field(default_factory=Reader, compare=False, repr=False)

    @classmethod
    def read(
        cls,
        data: Path,
        keyword: str,
        noise: tuple[Path, ...],
        speech: tuple[Path, ...],
        hard: tuple[Path, ...] = (),
    ) -> "Recordings":
        """Find the recordings. hard: folders. Raises UsageError if a folder is missing or empty."""
        for folder in (*noise, *speech, *hard):
            if next(files_of(folder), None) is None:
                raise UsageError(f"{folder}: no recordings in it")
        mined = tuple(path for folder in hard for path in files_of(folder))
        return cls(keyword, read_tree(data, keyword), _background(data), noise, speech, mined)

    @classmethod
    def spoken(
        cls,
        folder: Path,
        keyword: str,
        data: Path | None,
        noise: tuple[Path, ...],
        speech: tuple[Path, ...],
        hard: tuple[Path, ...] = (),
    ) -> "Recordings":
        """The speech that `kwsd synthesize` wrote to `folder`, and other words of the tree `data`.

        Each voice counts as a speaker. The voices of the split "testing" are in the training split, too, so
        nothing may be judged on them. Near misses in training voices are also hard negatives.
        """
        names = {"keyword": keyword, "near_misses": "near miss"}
        tree = [
            replace(clip, word=names[clip.word], split=clip.split.replace("testing", "training"))
            for clip in clips_of(folder)
            if clip.word in names
        ]
        near = tuple(clip.path for clip in tree if clip.word == "near miss" and clip.split == "training")
        tree += [clip for clip in clips_of(data) if clip.word != keyword] if data else []
        mined = tuple(path for each in hard for path in files_of(each))
        background = _background(data) if data else None
        return cls(keyword, tree, background, noise, (folder / "sentences", *speech), near + mined, True)

    def clips(self, split: str) -> tuple[Audio, Audio]:
        """Audio of the clips with and without the keyword, each (clips, samples)."""
        keyword, others = (self._audio(clips) for clips in self.words(split))
        return padded(keyword), padded(others)

    def check(self, *splits: str, on_file: Callable[[int, int], None] | None = None) -> None:
        """Read the clips of these splits. on_file: see `counted`. Raises UsageError as `words` does."""
        for path in counted((clip.path for clip in self.tree if clip.split in splits), on_file):
            self.reader.word(path)
        for split in splits:
            self.words(split)

    def words(self, split: str) -> tuple[list[Clip], list[Clip]]:
        """The clips that can be used, with and without the keyword.

        Raises UsageError if the split has no clips with the keyword, or none without it.
        """
        there = [clip for clip in self.tree if clip.split == split]
        chosen = [clip for clip in there if self.reader.word(clip.path) is not None]
        keyword = [clip for clip in chosen if clip.word == self.keyword]
        others = [clip for clip in chosen if clip.word != self.keyword]
        if not keyword or not others:
            unheard = len(there) - len(chosen)
            raise UsageError(
                f"the {split} split has {len(keyword)} clips of '{self.keyword}' and {len(others)} others"
                + (f" ({unheard} cannot be used)" if unheard else "")
                + "; it needs both"
            )
        return keyword, others

    def keyword_audio(self, split: str) -> list[Audio]:
        """Audio of the clips with the keyword. Raises UsageError as `words` does."""
        return self._audio(self.words(split)[0])

    def _audio(self, clips: list[Clip]) -> list[Audio]:
        return [audio for clip in clips if (audio := self.reader.word(clip.path)) is not None]

    def validation(self) -> tuple[Audio, Audio]:
        """The validation clips, with and without the keyword, each as it is and once more in noise.

        Clips in quiet alone may cause too few errors to compare epochs. The noise is at VALIDATION_SNR.
        """
        random = np.random.default_rng(0)
        noise = self.noise_of("validation") or self.noise_of("training")
        keyword, others = self.clips("validation")
        if not noise:
            return keyword, others
        return tuple(np.concatenate((clips, in_noise(clips, noise, random))) for clips in (keyword, others))  # type: ignore[return-value]

    def noise_of(self, split: str) -> list[Audio]:
        """The noise of a split. The tree's own noise has no splits and is all used for training."""
        whole = list(files_of(self.background)) if self.background and split == "training" else []
        return self.reader.sounds(
            [*whole, *(path for folder in self.noise for path in files_of(folder, split))]
        )

    def running_speech(self, split: str) -> Iterator[list[Audio]]:
        """The running speech of a split: the recordings of one folder after another."""
        return (self.reader.sounds(files_of(folder, split)) for folder in self.speech)

    def scenes(
        self, augmentation: Augmentation, on_file: Callable[[int, int], None] | None = None
    ) -> SceneMaker:
        """A maker of training examples from the training split of all recordings.

        on_file: see `counted`; of the running speech, which takes longest.
        """
        keyword, others = (self._audio(clips) for clips in self.words("training"))
        files = (path for folder in self.speech for path in files_of(folder, "training"))
        speech = self.reader.samples(counted(files, on_file))
        hard = self.reader.sounds(self.hard)
        return SceneMaker(keyword, others, self.noise_of("training"), speech, hard, augmentation)

    def facts(self) -> dict[str, Any]:
        """The recordings that the run used, for the model card."""
        used = (clip for clip in self.tree if clip.path not in self.reader.left_out)
        counts = Counter((clip.split, clip.word == self.keyword) for clip in used)
        splits = {split for split, _ in counts}
        return {
            "clips": {s: {"keyword": counts[s, True], "others": counts[s, False]} for s in sorted(splits)},
            "noise": [folder.absolute().name for folder in (self.background, *self.noise) if folder],
            "speech": [folder.absolute().name for folder in self.speech],
            "hard": sum(path not in self.reader.left_out for path in self.hard),
            "synthetic": self.synthetic,
        }


def _background(data: Path) -> Path | None:
    folder = data / NOISE_FOLDER
    return folder if folder.is_dir() else None
