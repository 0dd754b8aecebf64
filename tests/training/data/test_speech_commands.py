import hashlib
import os
import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from kwsd.errors import AudioError, UsageError
from kwsd.training.data.speech_commands import files_of, hashed_split, padded, read_audio, read_tree


def which_set(filename: str) -> str:
    """The rule in the archive's README, in its own steps."""
    speaker = re.sub(r"_nohash_.*$", "", Path(filename).stem)
    limit = 2**27 - 1
    hashed = int(hashlib.sha1(speaker.encode()).hexdigest(), 16)
    share = (hashed % (limit + 1)) * (100.0 / limit)
    if share < 10:
        return "validation"
    return "testing" if share < 20 else "training"


@given(st.text("0123456789abcdef", min_size=8, max_size=8))
def test_hashed_split_is_the_archives_rule(speaker: str) -> None:
    assert hashed_split(speaker) == which_set(f"happy/{speaker}_nohash_0.wav")


def assert_no_speaker_crosses(root: Path, keyword: str) -> None:
    splits = defaultdict(set)
    for clip in read_tree(root, keyword):
        splits[clip.speaker].add(clip.split)
    assert {split for found in splits.values() for split in found} >= {"training", "validation", "dev-test"}
    assert all(len(found) == 1 for found in splits.values())


def test_no_speaker_crosses_by_hash(tree: Path) -> None:
    assert_no_speaker_crosses(tree, "rise")


def test_lists_decide_where_there_are_any(tree: Path, tmp_path: Path) -> None:
    root = tmp_path / "listed"
    root.mkdir()
    for word in ("rise", "fall"):
        (root / word).symlink_to(tree / word)
    (root / "validation_list.txt").write_text("rise/00000003_nohash_0.wav\nrise/00000003_nohash_1.wav\n")
    (root / "testing_list.txt").write_text("fall/00000004_nohash_0.wav\n")
    splits = {(clip.word, clip.path.stem): clip.split for clip in read_tree(root, "rise")}
    assert splits["rise", "00000003_nohash_1"] == "validation"
    assert splits["fall", "00000004_nohash_0"] == "testing"
    others = {split for name, split in splits.items() if name[1][:8] not in ("00000003", "00000004")}
    assert others == {"training", "dev-test"}


def test_real_recordings_keep_speakers_apart_and_agree_with_the_hash(recordings: Path) -> None:
    root = recordings / "speech_commands_v0.01"
    assert_no_speaker_crosses(root, "happy")
    for clip in read_tree(root, "happy"):
        assert hashed_split(clip.speaker) == ("training" if clip.split == "dev-test" else clip.split)


def test_bad_trees_are_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        read_tree(tmp_path / "absent", "rise")
    (tmp_path / "file").touch()
    for read in (read_tree, files_of):
        with pytest.raises(UsageError, match="give a folder of recordings"):
            list(read(tmp_path / "file", "rise"))
    with pytest.raises(UsageError, match=r"no clips of 'sheila'.*fall, hiss, rise"):
        read_tree(tree, "sheila")


def test_cuts_of_one_recording_stay_together(tmp_path: Path) -> None:
    for source in range(40):
        for take in "ABC":
            (tmp_path / f"1-{source}-{take}-20.wav").touch()
    sides = defaultdict(set)
    for split in ("training", "validation", "dev-test"):
        for path in files_of(tmp_path, split):
            sides[path.name.split("-")[1]].add(split)
    assert len(sides) == 40
    assert all(len(found) == 1 for found in sides.values())


def test_audio_of_any_rate_and_channels(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    stereo = 0.5 * np.sin(2 * np.pi * 440 * time)[:, None].repeat(2, axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 44_100)
    samples = read_audio(tmp_path / "a.wav")
    assert samples.dtype == np.int16
    assert len(samples) == pytest.approx(16_000, abs=2)
    peak = np.abs(np.fft.rfft(samples[:16_000])).argmax()
    assert peak == 440
    assert np.abs(samples[2_000:14_000]).max() == pytest.approx(16_384, rel=0.02)


def test_what_is_no_audio_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("no audio")
    with pytest.raises(AudioError, match=r"cannot read '.*a\.wav' as audio"):
        read_audio(path)


def test_clips_are_a_second_each() -> None:
    audio = padded([np.full(16_000, 3, np.int16), np.ones(8_000, np.int16)])
    assert audio.shape == (2, 16_000)
    assert audio[1].sum() == 8_000
    assert audio[1, 4_000:12_000].all()


def test_the_dev_test_fold_is_15_per_cent_of_the_training_speakers_and_of_no_others(tmp_path: Path) -> None:
    """By the archive's rule 10 % are validation, 10 % testing; of the others 15 % are held out."""
    (tmp_path / "word").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.wav").touch()
    for speaker in range(2_000):
        (tmp_path / "word" / f"{speaker:08x}_nohash_0.wav").touch()
    splits = Counter(clip.split for clip in read_tree(tmp_path, "word") if clip.word == "word")
    assert splits == {"training": 1_341, "dev-test": 235, "validation": 225, "testing": 199}
    for clip in read_tree(tmp_path, "word"):
        assert clip.split == hashed_split(clip.speaker) or (
            clip.split == "dev-test" and hashed_split(clip.speaker) == "training"
        )


def test_other_files_are_split_70_10_20(tmp_path: Path) -> None:
    for number in range(1_000):
        (tmp_path / f"recording {number}.wav").touch()
    sides = {split: len(list(files_of(tmp_path, split))) for split in ("training", "validation", "dev-test")}
    assert sides == {"training": 708, "validation": 101, "dev-test": 191}
    assert len(list(files_of(tmp_path))) == 1_000


FORMATS = {  # subtype and container
    "f32.wav": ("FLOAT", "WAV"),
    "f64.WAV": ("DOUBLE", "WAV"),
    "u8.wave": ("PCM_U8", "WAV"),
    "it.aiff": ("PCM_24", "AIFF"),
    "it.au": ("ULAW", "AU"),
    "it.w64": ("PCM_16", "W64"),
    "it.caf": ("FLOAT", "CAF"),
    "it.rf64": ("PCM_32", "RF64"),
    "it.flac": ("PCM_24", "FLAC"),
    "it": ("FLOAT", "WAV"),
    "it.raw": ("PCM_16", "FLAC"),
}


def test_every_format_that_listen_takes_is_found_and_heard_alike(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    for name, (subtype, container) in FORMATS.items():
        with (tmp_path / name).open("wb") as file:
            soundfile.write(file, tone, 16_000, subtype=subtype, format=container)
    (tmp_path / "it.opus").write_bytes(b"")
    (tmp_path / "README.txt").write_text("Recordings\n")
    (tmp_path / "folder.wav").mkdir()
    files = list(files_of(tmp_path))
    assert {path.name for path in files} == {*FORMATS, "it.opus"}
    for path in files:
        if path.suffix != ".opus":
            np.testing.assert_allclose(read_audio(path), 32_768 * tone, atol=600, err_msg=path.name)


@pytest.mark.parametrize("name", ["f32.wav", "without a suffix"])
def test_floats_are_read_exactly(tmp_path: Path, name: str) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 20_001).astype(np.int16)
    soundfile.write(tmp_path / name, samples / np.float32(32_768), 16_000, subtype="FLOAT", format="WAV")
    np.testing.assert_array_equal(read_audio(tmp_path / name), samples)


def test_what_is_cut_short_is_heard_and_said(tmp_path: Path) -> None:
    samples = np.arange(16_000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:-16_000])
    said: list[str] = []
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", said.append), samples[:8_000])
    assert [line.split("' ")[1] for line in said] == ["is truncated: it has 0.5 of 1.0 s; get a new copy"]
    (tmp_path / "a.wav").write_bytes((tmp_path / "a.wav").read_bytes()[:44])
    with pytest.raises(AudioError, match="contains no audio"):
        read_audio(tmp_path / "a.wav")


def test_a_name_that_is_not_utf_8_has_a_side(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    path = tmp_path / f"{name}.wav"
    try:
        soundfile.write(os.fsencode(path), np.zeros(1_600), 16_000)
    except (OSError, soundfile.LibsndfileError):
        pytest.skip("this file system takes UTF-8 only")
    sides = [split for split in ("training", "validation", "dev-test") if list(files_of(tmp_path, split))]
    assert len(sides) == 1
    assert len(read_audio(path)) == 1_600
