"""Finds and reads recordings: a Speech Commands tree and folders of other audio, and their splits.

No speaker and no source is in more than one split.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kwsd.audio.file import FileSource
from kwsd.audio.formats.kinds import HEAD_BYTES, kind_of
from kwsd.errors import AudioError, UsageError
from kwsd.files import check_folder
from kwsd.pcm import SAMPLE_RATE, to_int16

Audio = npt.NDArray[np.int16]

# Of audio files. Others are recognized by their first bytes.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(
        ".ogg",
        ".oga",
        ".opus",
        ".spx",
        ".mp3",
        ".mp2",
        ".mpga",
        ".m4a",
        ".m4b",
        ".mp4",
        ".aac",
        ".3gp",
        ".3g2",
    ),
    *(".amr", ".awb", ".webm", ".mka", ".mkv", ".wma", ".wv", ".ape", ".tta", ".mpc", ".ac3", ".voc", ".sph"),
    *(".raw", ".pcm"),
)
NOISE_FOLDER = "_background_noise_"
_HASH_RANGE = 2**27 - 1  # MAX_NUM_WAVS_PER_CLASS of the archive's README
DEV_TEST_PERCENT = 15  # of the training speakers


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """One word by one speaker."""

    path: Path
    word: str
    speaker: str
    split: str


def percentage(name: str) -> float:
    """A number from 0 to 100 for a name: the hash of the archive's README."""
    digest = int(hashlib.sha1(name.encode("utf-8", "surrogateescape")).hexdigest(), 16)
    return digest % (_HASH_RANGE + 1) * (100 / _HASH_RANGE)


def hashed_split(speaker: str) -> str:
    """The archive's own split of a speaker: 10 % validation, 10 % testing (README of the archive)."""
    place = percentage(speaker)
    return "validation" if place < 10 else "testing" if place < 20 else "training"


def _with_dev_test(split: str, speaker: str) -> str:
    """The split with dev-test, which is taken out of the training speakers by their hash."""
    held = split == "training" and percentage("dev-test " + speaker) < DEV_TEST_PERCENT
    return "dev-test" if held else split


def clips_of(root: Path) -> list[Clip]:
    """All clips of a Speech Commands tree. Its lists decide the split or, without lists, the archive's hash.

    Raises UsageError if the folder does not exist or cannot be read.
    """
    check_folder(root)
    listed: dict[str, str] = {}
    lists = [root / f"{split}_list.txt" for split in ("validation", "testing")]
    for file, split in zip(lists, ("validation", "testing"), strict=True):
        if file.exists():
            listed |= {Path(name).with_suffix("").as_posix(): split for name in _names(file)}
    clips = []
    for folder in _entries(root):
        if not folder.is_dir() or folder.name.startswith("_"):
            continue
        for path in _entries(folder):
            if not is_audio(path):
                continue
            speaker = re.sub("_nohash_.*$", "", path.stem)
            if all(file.exists() for file in lists):
                split = listed.get(f"{folder.name}/{path.stem}", "training")
            else:
                split = hashed_split(speaker)
            clips.append(Clip(path, folder.name, speaker, _with_dev_test(split, speaker)))
    return clips


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error


def _names(file: Path) -> list[str]:
    """The lines of a list of clips. Raises UsageError if it cannot be read or is not UTF-8."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file}: it is not UTF-8; save it as UTF-8, a clip a line") from error
    return [line for line in map(str.strip, text.splitlines()) if line]


def read_tree(root: Path, keyword: str) -> list[Clip]:
    """All clips of a tree (see `clips_of`). Raises UsageError if the keyword or other words are missing."""
    clips = clips_of(root)
    words = {clip.word for clip in clips}
    if keyword not in words:
        raise UsageError(
            f"{root}: no clips of '{keyword}'; it has these words: {', '.join(sorted(words)) or 'none'}"
        )
    if len(words) == 1:
        raise UsageError(f"{root}: it has no word but '{keyword}'; other words are needed as negatives")
    return clips


def files_of(folder: Path, split: str | None = None) -> Iterator[Path]:
    """Audio files below a folder, sorted. split: only those of this split.

    A hash of the name decides: 70 % training, 10 % validation, 20 % dev-test. Several cuts of one recording
    (ESC names them fold-SOURCE-take-class) are in the same split.
    """
    check_folder(folder)
    for path in sorted(folder.rglob("*")):
        if is_audio(path):
            cut = re.fullmatch(r"\d-(\d+)-[A-Z].*", path.stem)
            place = percentage(cut[1] if cut else path.stem)
            side = "training" if place < 70 else "validation" if place < 80 else "dev-test"
            if split in (None, side):
                yield path


def is_audio(path: Path) -> bool:
    """Whether a file is audio, by its suffix or by its first bytes."""
    if not path.is_file() or path.suffix.lower() in AUDIO_SUFFIXES:
        return path.is_file()
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return head.startswith(b"RIFF") or kind_of(head) is not None


def read_audio(path: Path, warn: Callable[[str], None] = log.warning, longest: int | None = None) -> Audio:
    """A file as 16 kHz mono int16, shape (n,), as `kwsd listen --input` reads it.

    Of a truncated or damaged file it is the part that can be decoded. warn: called with a line about that and
    anything else that is odd. longest: samples after which reading ends. Raises UsageError or
    AudioError if nothing can be decoded.
    """
    parts: list[Audio] = []
    for part in stream_audio(path, warn):
        parts.append(part)
        if longest is not None and sum(map(len, parts)) > longest:
            break
    return np.concatenate(parts)


def stream_audio(path: Path, warn: Callable[[str], None]) -> Iterator[Audio]:
    """The chunks of a file, otherwise as `read_audio`."""
    heard = 0
    with FileSource(path, warn=warn) as source:
        try:
            for chunk in source:
                heard += len(chunk.samples)
                yield to_int16(chunk.samples)
        except AudioError as error:
            if not heard:
                raise
            warn(str(error))


def padded(recordings: list[Audio]) -> npt.NDArray[np.int16]:
    """Clips padded with silence at both ends to the longest of them or a second, shape (clips, samples)."""
    length = max([SAMPLE_RATE, *map(len, recordings)])
    audio = np.zeros((len(recordings), length), np.int16)
    for row, samples in zip(audio, recordings, strict=True):
        start = (length - len(samples)) // 2
        row[start : start + len(samples)] = samples
    return audio
