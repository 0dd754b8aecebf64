"""Streams: made in blocks as if made at once, and with everything where it belongs."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from evaluation import LOUD, burst

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.modelfile import read_model
from kwsd.training.data.reader import Reader
from kwsd.training.data.spool import Recording
from kwsd.training.evaluate import mining, streams
from kwsd.training.evaluate.conditions import AS_RECORDED, AcousticConditions
from kwsd.training.evaluate.curve import curve
from kwsd.training.evaluate.mining import mine
from kwsd.training.evaluate.streams import SEGMENT_SAMPLES, Negative, place, place_within, segments


def noise(length: int, level: float = 3_000, seed: int = 0) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(seed).normal(0, level, length).astype(np.int16)
    return found


def heard(recordings: list[np.ndarray], conditions: AcousticConditions) -> np.ndarray:
    return np.concatenate(list(Negative(recordings, conditions, np.random.default_rng(1)).blocks()))


ROOM = (8_000 * 0.99 ** np.arange(400)).astype(np.int16)


@pytest.mark.parametrize("length", [1_000, 8_000, 20_017])
@pytest.mark.parametrize(
    "conditions",
    [
        AS_RECORDED,
        AcousticConditions([noise(3_000, seed=3), noise(30_000, seed=4)], 5.0, []),
        AcousticConditions([], None, [ROOM]),
        AcousticConditions([noise(50_000, seed=3)], 5.0, [ROOM]),
    ],
    ids=["as recorded", "noise", "room", "both"],
)
def test_blocks_are_what_the_whole_is(
    monkeypatch: pytest.MonkeyPatch, length: int, conditions: AcousticConditions
) -> None:
    recordings = [noise(length // 3, 500, 5), noise(length - length // 3, 500, 6)]
    whole = heard(recordings, conditions)
    monkeypatch.setattr(streams, "STREAM_BLOCK_SAMPLES", 1_600)
    blocks = heard(recordings, conditions)
    assert len(blocks) == len(whole) == length
    if (
        conditions.impulse_responses
    ):  # each block is as loud as it was: these are so short that they are not equally loud
        assert np.corrcoef(blocks, whole)[0, 1] > 0.98
    else:
        np.testing.assert_allclose(blocks, whole, atol=1)
    if conditions is AS_RECORDED:
        np.testing.assert_array_equal(whole, np.concatenate(recordings))


def test_a_stream_is_the_same_each_time() -> None:
    stream = Negative(
        [noise(5_000)], AcousticConditions([noise(900, seed=2)], 3.0, []), np.random.default_rng(0)
    )
    first, second = (np.concatenate(list(stream.blocks())) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, next(pickle.loads(pickle.dumps(stream)).blocks()))


def test_a_long_recording_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluating, and mining: the largest piece that is read back is a block."""
    second, lengths = 16_000, []
    monkeypatch.setattr(streams, "STREAM_BLOCK_SAMPLES", 2 * second)
    whole = np.zeros(20 * second, np.int16)
    for start in (3, 11, 19):  # one of them lies over the border of two blocks, another ends the recording
        whole[start * second + 9_000 : (start + 1) * second] = noise(7_000)
    soundfile.write(tmp_path / "long.flac", whole, second)
    get = Recording.__getitem__

    def watched(recording: Recording, part: slice) -> np.ndarray:
        piece = get(recording, part)
        lengths.append(len(piece))
        return piece

    model = read_model(LOUD)
    [recording] = Reader().recordings([tmp_path / "long.flac"])
    monkeypatch.setattr(Recording, "__getitem__", watched)
    [long] = (curve(model, [], [Negative([recording], AS_RECORDED, np.random.default_rng(0))]),)
    assert long == curve(model, [], [Negative([whole], AS_RECORDED, np.random.default_rng(0))])
    assert max(lengths) <= 2 * second

    found: list[int] = []
    mine(model, [tmp_path / "long.flac"], tmp_path / "mined", 0.5, lambda _, count: found.append(count))
    assert found == [3]
    assert max(lengths) <= 2 * second
    padded = np.pad(whole, (2 * second, second // 2))
    for clip in (tmp_path / "mined").glob("*.flac"):
        at = round(float(clip.stem.removeprefix("long@")) * second)
        np.testing.assert_array_equal(soundfile.read(clip, dtype="int16")[0], padded[at : at + 40_000])
    assert 4 * second > mining.HISTORY_SAMPLES


def test_segments_lose_no_sample() -> None:
    recordings = [np.full(n, i, np.int16) for i, n in enumerate((10, SEGMENT_SAMPLES, 5, 7))]
    cut = segments(recordings)
    assert np.array_equal(
        np.concatenate([np.concatenate(group) for group in cut]), np.concatenate(recordings)
    )
    assert [sum(map(len, group)) for group in cut] == [10 + SEGMENT_SAMPLES, 12]


def test_noise_has_the_level_asked_for() -> None:
    random = np.random.default_rng(0)
    noise = [random.integers(-3000, 3000, SAMPLE_RATE * 8).astype(np.int16)]
    word = burst(0.1, seconds=0.9)
    loud, soft = (
        place(word, [], AcousticConditions(noise, snr), random).audio[:SAMPLE_RATE] for snr in (0, 20)
    )
    ratio = 20 * np.log10(loud.astype(float).std() / soft.astype(float).std())
    assert ratio == pytest.approx(20, abs=0.5)


def test_a_word_stands_after_three_seconds_and_before_one_and_a_half() -> None:
    clip = burst(0.2)
    context = [np.full(SAMPLE_RATE, 1_000, np.int16)]
    positive = place(clip, context, AS_RECORDED, np.random.default_rng(0))
    assert len(positive.audio) == 5.5 * SAMPLE_RATE
    assert (positive.start, positive.end) == (3.0, pytest.approx(3.75, abs=0.05))
    assert np.array_equal(positive.audio[3 * SAMPLE_RATE : 4 * SAMPLE_RATE], clip)
    assert (positive.audio[:46_000] == 1_000).all()
    assert abs(positive.audio[3 * SAMPLE_RATE - 1]) < 10  # faded out
    assert not positive.audio[4 * SAMPLE_RATE :].any()


def test_a_word_within_speech_has_no_pause_around_it() -> None:
    clip = np.zeros(SAMPLE_RATE, np.int16)
    clip[3_200:11_200] = np.where(np.arange(8_000) % 16 < 8, 8_192, -8_192)  # 0.2 to 0.7 s
    speech = np.full(10 * SAMPLE_RATE, 2_000, np.int16)
    stream = place_within(clip, [speech], AS_RECORDED, np.random.default_rng(0))
    assert stream.start == 3
    said = np.flatnonzero(stream.audio < 0)[[0, -1]] / SAMPLE_RATE
    assert said == pytest.approx([3.06, stream.end], abs=0.03)
    assert stream.end == pytest.approx(3.56, abs=0.05)
    assert (stream.audio[: 3 * SAMPLE_RATE] == 2_000).all()
    assert (stream.audio[-3 * SAMPLE_RATE // 2 :] == 2_000).all()  # speech goes on
    assert np.abs(stream.audio).max() == pytest.approx(2_000 * np.sqrt(0.62 / 0.5), rel=0.06)
    noisy = place_within(
        clip, [speech], AcousticConditions([noise(80_000)], 10.0, []), np.random.default_rng(0)
    )
    added = (noisy.audio - stream.audio.astype(float))[: 3 * SAMPLE_RATE]
    assert 20 * np.log10(2_000 * np.sqrt(0.62 / 0.5) / added.std()) == pytest.approx(10, abs=0.6)


def test_noise_is_6_db_below_the_sound_that_counts() -> None:
    """A sound of 1,000 and a noise of 100: it is amplified to 500."""
    sound = np.full(SAMPLE_RATE, 1_000, np.int16)
    hum = np.tile(np.array([100, -100], np.int16), 3 * SAMPLE_RATE)
    conditions = AcousticConditions([hum], 20 * float(np.log10(2)))
    placed = place(sound, [], conditions, np.random.default_rng(0)).audio
    assert np.abs(placed[:SAMPLE_RATE]).tolist() == pytest.approx([500] * SAMPLE_RATE, abs=1)
    stream = heard([sound, sound], conditions)
    assert np.abs(stream - 1_000).tolist() == pytest.approx([500] * 2 * SAMPLE_RATE, abs=1)
