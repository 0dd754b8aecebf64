"""Recordings that training cannot use are left out, with the reason, and none is longer than a word."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.reader import WORD_SAMPLES, Reader, loudest
from kwsd.training.data.speech_commands import clips_of, files_of


def noise(seconds: float, level: float = 0.1) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(0).normal(0, level, round(seconds * SAMPLE_RATE))
    return found


def wav(samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, subtype, format="WAV")
    return file.getvalue()


BAD = {
    "no-audio.wav": (b"no audio", "no-audio.wav"),
    "nothing.wav": (b"", "nothing.wav"),
    "header.wav": (wav(np.zeros(0)), "header.wav"),
    "silent.wav": (wav(np.zeros(SAMPLE_RATE)), "it is silent"),
    "nan.wav": (wav(np.full(SAMPLE_RATE, np.nan), "FLOAT"), "16000 samples of "),
    "a-few-nan.wav": (wav(np.append(noise(1), np.nan), "FLOAT"), "1 samples of "),
    "click.wav": (wav(noise(0.05)), "it is only 0.05 s long"),
    "long.wav": (wav(noise(600, 0.01)), "it is longer than one word"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_left_out_with_the_reason(tmp_path: Path, name: str) -> None:
    content, reason = BAD[name]
    path = tmp_path / name
    path.write_bytes(content)
    reader = Reader()
    assert reader.word(path) is None
    assert reader.word(path) is None
    [(named, said)], _ = reader.unreported()
    assert named == path
    assert reason in said
    assert reader.unreported() == ([], [])  # once


def test_recordings_that_can_be_used_follow_each_other_as_one_array(tmp_path: Path) -> None:
    for name, content in (
        ("a.wav", wav(noise(1))),
        ("b.wav", BAD["silent.wav"][0]),
        ("c.wav", wav(noise(2))),
    ):
        (tmp_path / name).write_bytes(content)
    reader = Reader()
    samples = reader.samples(files_of(tmp_path))
    np.testing.assert_array_equal(samples, np.concatenate(reader.sounds(files_of(tmp_path))))
    assert len(samples) == 3 * SAMPLE_RATE
    assert list(reader.left_out) == [tmp_path / "b.wav"]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(wav(noise(1)))

    def refuse(*_: object, **__: object) -> None:
        raise UsageError("no permission")

    monkeypatch.setattr("kwsd.training.data.reader.read_audio", refuse)
    reader = Reader()
    assert reader.sounds([tmp_path / "a.wav"]) == []
    assert reader.left_out == {tmp_path / "a.wav": "no permission"}


def test_of_three_seconds_the_two_with_the_word_are_used(tmp_path: Path) -> None:
    """A recording as people make them: they wait, say the word, and stop the recorder."""
    for start in (0.0, 1.2, 2.3):
        samples = noise(3, 0.001)
        word = slice(round(start * SAMPLE_RATE), round((start + 0.6) * SAMPLE_RATE))
        samples[word] += noise(0.6)
        path = tmp_path / f"{start}.wav"
        path.write_bytes(wav(samples))
        audio = Reader().word(path)
        assert audio is not None
        assert len(audio) == 2 * SAMPLE_RATE
        loud = np.flatnonzero(np.abs(audio) > 1_000)
        assert np.ptp(loud) / SAMPLE_RATE == pytest.approx(0.6, abs=0.02)  # all of it
        if start == 1.2:  # with some of what is around it
            assert 0.3 < loud[0] / SAMPLE_RATE < 1.1


def test_a_clip_of_a_second_is_used_as_it_is() -> None:
    clip = np.arange(SAMPLE_RATE).astype(np.int16)
    assert loudest(clip, WORD_SAMPLES) is clip


@pytest.fixture
def damaged(tree: Path, tmp_path: Path) -> Path:
    """The tree with a ten-minute recording and bad files in the keyword's folder."""
    root = tmp_path / "damaged"
    for word in ("rise", "fall"):
        (root / word).mkdir(parents=True)
        for clip in (tree / word).iterdir():
            (root / word / clip.name).symlink_to(clip)
    for name, (content, _) in BAD.items():
        (root / "rise" / name).write_bytes(content)
    return root


def test_memory_does_not_grow_with_a_long_recording(damaged: Path) -> None:
    recordings = Recordings.read(damaged, "rise", (), ())
    read: list[tuple[int, int]] = []
    splits = ("training", "validation", "dev-test", "testing")
    recordings.check(*splits, on_file=lambda *counts: read.append(counts))
    total = len(recordings.tree)
    assert read == [(done, total) for done in range(1, total + 1)]
    assert {path.name for path in recordings.reader.left_out} == set(BAD)
    assert recordings.scenes(Augmentation()).length == int(2.5 * SAMPLE_RATE)
    assert all(audio.shape[1] <= WORD_SAMPLES for audio in recordings.clips("validation"))
    used = recordings.facts()["clips"]
    assert sum(split["keyword"] for split in used.values()) == 60


def test_too_few_that_can_be_used_is_said_with_their_number(tmp_path: Path) -> None:
    for word in ("rise", "fall"):
        (tmp_path / word).mkdir()
        for speaker in range(40):
            (tmp_path / word / f"{speaker:08x}_nohash_0.wav").write_bytes(BAD["silent.wav"][0])
    with pytest.raises(UsageError, match=r"0 clips of 'rise' and 0 others \(\d+ cannot be used\)"):
        Recordings.read(tmp_path, "rise", (), ()).check("training")


def test_a_folder_without_recordings_is_refused(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty: no recordings in it"):
        Recordings.read(tree, "rise", (tmp_path / "empty",), ())


def test_a_list_that_is_not_utf_8_is_named(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "rise").symlink_to(tree / "rise")
    (tmp_path / "validation_list.txt").write_bytes(b"rise/\xff\xfe.wav\n")
    with pytest.raises(UsageError, match=r"validation_list\.txt: it is not UTF-8"):
        clips_of(tmp_path)
    (tmp_path / "validation_list.txt").write_bytes(b"\xef\xbb\xbfrise/00000003_nohash_0.wav\r\n")
    (tmp_path / "testing_list.txt").touch()
    assert [clip.path.name for clip in clips_of(tmp_path) if clip.split == "validation"] == [
        "00000003_nohash_0.wav"
    ]


def test_clips_whose_names_are_not_utf_8_are_used(tmp_path: Path) -> None:
    word = tmp_path / "rise"
    word.mkdir()
    name = b"b\xe9l\xe9_nohash_0.wav"
    try:
        (word / os.fsdecode(name)).write_bytes(wav(noise(1)))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    [clip] = clips_of(tmp_path)
    assert clip.split in ("training", "validation", "dev-test", "testing")
    assert Reader().word(clip.path) is not None
    assert list(files_of(tmp_path)) == [clip.path]
