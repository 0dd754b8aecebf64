"""Which recordings are used for what, and in which split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.speech_commands import files_of, hashed_split, read_tree
from kwsd.training.evaluate.streams import read_streams, run_conditions, run_streams
from kwsd.training.workflows.progress import Silent
from kwsd.training.workflows.run import check_recordings

TESTING = next(f"v{number}" for number in range(100) if hashed_split(f"v{number}") == "testing")
VALIDATION = next(f"v{number}" for number in range(100) if hashed_split(f"v{number}") == "validation")


def write(path: Path, level: float = 0.1, seconds: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    count = int(seconds * SAMPLE_RATE)
    tone = level * np.sin(np.arange(count) / 5)
    soundfile.write(path, tone, SAMPLE_RATE, subtype="PCM_16")


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """What `kwsd synthesize` writes: the keyword, and three near misses, in each voice."""
    folder = tmp_path / "speech"
    voices = [f"v{number}" for number in range(30)]
    for voice in voices:
        write(folder / "keyword" / f"{voice}_nohash_0.flac")
        for number in range(3):
            write(folder / "near_misses" / f"{voice}_nohash_{number}.flac")
    write(folder / "sentences" / "a.flac")
    return folder


def test_near_misses_in_training_voices_are_hard_and_no_voice_is_kept_for_testing(speech: Path) -> None:
    recordings = Recordings.spoken(speech, "hey", None, (), ())
    splits = {clip.speaker: clip.split for clip in recordings.tree}
    assert set(splits.values()) == {"training", "validation", "dev-test"}
    assert splits[TESTING] == "training"
    hard = {path.stem.partition("_")[0] for path in recordings.hard}
    assert hard == {voice for voice, split in splits.items() if split == "training"}
    assert VALIDATION not in hard
    assert recordings.synthetic
    assert recordings.speech == (speech / "sentences",)


def test_of_a_tree_only_other_words_are_added(speech: Path, tmp_path: Path) -> None:
    for word in ("hey", "bird"):
        write(tmp_path / "tree" / word / "anna_nohash_0.wav")
    recordings = Recordings.spoken(speech, "hey", tmp_path / "tree", (), ())
    assert {clip.word for clip in recordings.tree if clip.speaker == "anna"} == {"bird"}


@pytest.fixture
def with_noise(tmp_path: Path) -> Recordings:
    """Words of many speakers, noise of the tree's own and noise with splits."""
    tree, noise = tmp_path / "tree", tmp_path / "noise"
    for number in range(30):
        write(tree / "hey" / f"v{number}_nohash_0.wav")
        write(tree / "bird" / f"v{number}_nohash_0.wav")
        write(noise / f"n{number}.wav", 0.02)
    write(tree / "_background_noise_" / "hum.wav", 0.5)
    return Recordings.read(tree, "hey", (noise,), ())


def test_the_trees_own_noise_is_for_training_only(with_noise: Recordings, tmp_path: Path) -> None:
    counts = {split: len(with_noise.noise_of(split)) for split in ("training", "validation", "dev-test")}
    files = {split: len(list(files_of(tmp_path / "noise", split))) for split in counts}
    assert counts == files | {"training": files["training"] + 1}
    assert all(files.values())
    assert sum(files.values()) == 30


def test_validation_clips_are_heard_in_quiet_and_once_more_in_noise(with_noise: Recordings) -> None:
    keyword, others = with_noise.clips("validation")
    for clips, heard in zip((keyword, others), with_noise.validation(), strict=True):
        assert len(heard) == 2 * len(clips)
        assert np.array_equal(heard[: len(clips)], clips)
        assert not np.array_equal(heard[len(clips) :], clips)


def test_reading_the_recordings_tells_how_much_of_them_is_read(with_noise: Recordings) -> None:
    class Counting(Silent):
        read: tuple[int, int | None] = (0, None)

        def count(self, done: int, total: int | None) -> None:
            self.read = (done, total)

    progress = Counting()
    check_recordings(with_noise, progress)
    used = sum(clip.split != "testing" for clip in with_noise.tree)
    assert progress.read == (used, used)


def test_streams_of_a_run_are_in_quiet_and_in_noise_with_all_of_the_unseen_speech(
    with_noise: Recordings, tmp_path: Path
) -> None:
    for number in range(10):
        write(tmp_path / "unseen" / f"u{number}.wav", seconds=1.0)
    read: list[tuple[int, int]] = []
    unseen = (tmp_path / "unseen",)
    quiet, noisy = run_streams(with_noise, "validation", 7.0, unseen, lambda *counts: read.append(counts))
    assert read == [(done, 10) for done in range(1, 11)]
    assert (quiet[0].snr, noisy[0].snr) == (None, 7.0)
    assert len(noisy[0].noise) == len(with_noise.noise_of("validation"))
    words = len(with_noise.words("validation")[0])
    for _, positives, negatives in (quiet, noisy):
        assert len(positives) == words
        assert sum(map(len, negatives)) == 10 * SAMPLE_RATE
    with_speech = replace(with_noise, speech=unseen)
    read.clear()
    with_speech.scenes(Augmentation(), lambda *counts: read.append(counts))
    total = len(list(files_of(tmp_path / "unseen", "training")))
    assert read == [(done, total) for done in range(1, total + 1)]
    without = Recordings(with_noise.keyword, with_noise.tree, None, (), ())
    assert [one.snr for one in run_conditions(without, "validation", 7.0)] == [None]


def test_streams_of_folders_take_a_splits_speakers_where_names_tell_them(
    with_noise: Recordings, tmp_path: Path
) -> None:
    tree, _ = with_noise.tree, write(tmp_path / "words" / "b.wav")
    validation = [clip for clip in tree if clip.word == "hey" and clip.split == "validation"]
    assert 0 < len(validation) < 30
    assert tree == read_tree(tmp_path / "tree", "hey")
    [quiet] = run_conditions(Recordings("hey", tree, None, (), ()), "validation", 0.0)

    def streams(positives: Path, split: str | None) -> tuple[int, int]:
        found = read_streams([positives], [tmp_path / "noise"], split, quiet, with_noise.reader)
        return len(found[0]), sum(map(len, found[1])) // (SAMPLE_RATE // 2)

    in_split = len(list(files_of(tmp_path / "noise", "validation")))
    assert streams(tmp_path / "tree" / "hey", "validation") == (len(validation), in_split)
    assert streams(tmp_path / "tree" / "hey", None) == (30, 30)
    assert streams(tmp_path / "words", "validation") == (1, in_split)
