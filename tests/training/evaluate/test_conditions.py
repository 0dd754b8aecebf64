"""Negative streams: made in blocks, as if they were made at once; recordings in a temporary file."""

import errno
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from kwsd.errors import KwsdError
from kwsd.runtime.modelfile import read_model
from kwsd.training.data.reader import Reader
from kwsd.training.data.spool import Recording, Spool
from kwsd.training.evaluate import conditions as surroundings
from kwsd.training.evaluate import mining
from kwsd.training.evaluate.conditions import NOWHERE, Negative, Piece, Surroundings
from kwsd.training.evaluate.mining import mine
from kwsd.training.evaluate.streams import curve

LOUD = Path(__file__).parents[2] / "loud.pt"


def noise(length: int, level: float = 3_000, seed: int = 0) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(seed).normal(0, level, length).astype(np.int16)
    return found


def heard(recordings: list[np.ndarray], around: Surroundings) -> np.ndarray:
    return np.concatenate(list(Negative(recordings, around, np.random.default_rng(1)).blocks()))


ROOM = (8_000 * 0.99 ** np.arange(400)).astype(np.int16)


@pytest.mark.parametrize("length", [1_000, 8_000, 20_017])
@pytest.mark.parametrize(
    "around",
    [
        NOWHERE,
        Surroundings([noise(3_000, seed=3), noise(30_000, seed=4)], 5.0, []),
        Surroundings([], None, [ROOM]),
        Surroundings([noise(50_000, seed=3)], 5.0, [ROOM]),
    ],
    ids=["nowhere", "noise", "room", "both"],
)
def test_blocks_are_what_the_whole_is(
    monkeypatch: pytest.MonkeyPatch, length: int, around: Surroundings
) -> None:
    recordings = [noise(length // 3, 500, 5), noise(length - length // 3, 500, 6)]
    whole = heard(recordings, around)
    monkeypatch.setattr(surroundings, "BLOCK", 1_600)
    blocks = heard(recordings, around)
    assert len(blocks) == len(whole) == length
    if around.rooms:  # each block is as loud as it was: these are so short that they are not equally loud
        assert np.corrcoef(blocks, whole)[0, 1] > 0.98
    else:
        np.testing.assert_allclose(blocks, whole, atol=1)
    if around is NOWHERE:
        np.testing.assert_array_equal(whole, np.concatenate(recordings))


def test_a_stream_is_the_same_each_time() -> None:
    stream = Negative([noise(5_000)], Surroundings([noise(900, seed=2)], 3.0, []), np.random.default_rng(0))
    first, second = (np.concatenate(list(stream.blocks())) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, next(pickle.loads(pickle.dumps(stream)).blocks()))


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_piece_is_repeated_where_it_is_too_short(there: int, length: int, data: st.DataObject) -> None:
    recording = np.arange(there).astype(np.int16)
    piece = Piece([recording], length, np.random.default_rng(0))
    whole = piece.part(0, length)
    start = int(whole[0])
    np.testing.assert_array_equal(whole, np.resize(recording[start : start + length], length))
    assert there < length or start + length <= there
    at = data.draw(st.integers(0, length - 1))
    np.testing.assert_array_equal(piece.part(at, length - at), whole[at:])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=4), st.data())
def test_recordings_in_a_spool_are_as_arrays(lengths: list[int], data: st.DataObject) -> None:
    spool = Spool()
    arrays = [noise(length, seed=number) for number, length in enumerate(lengths)]
    kept = [spool.add(np.array_split(array, 3)) for array in arrays]
    path = spool.path
    assert path.stat().st_nlink == (0 if path.is_relative_to("/proc") else 1)
    for array, recording in zip(arrays, kept, strict=True):
        start, stop = data.draw(st.integers(0, 60)), data.draw(st.integers(0, 60))
        assert len(recording) == len(array)
        np.testing.assert_array_equal(recording[start:stop], array[start:stop])
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(recording))[:], array)
    del spool
    assert path.exists()
    del kept, recording
    assert not path.exists()


def test_a_recording_that_breaks_off_leaves_no_gap() -> None:
    spool = Spool()

    def broken() -> object:
        yield noise(100)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        spool.add(broken())  # type: ignore[arg-type]
    np.testing.assert_array_equal(spool.add([noise(10)])[:], noise(10))


def test_a_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool()
    full = type("Full", (), {"write": lambda *_: _raise(errno.ENOSPC)})
    monkeypatch.setattr(spool, "_file", type("File", (), {"tell": lambda _: 0, "seek": lambda *_: 0,
        "truncate": lambda _: 0, "write": full.write})())  # fmt: skip
    with pytest.raises(KwsdError, match="No space left on device; recordings take 115 MB an hour there: set"):
        spool.add([noise(10)])


def _raise(number: int) -> None:
    raise OSError(number, "No space left on device")


def test_a_long_recording_is_never_held_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluating, and mining: the largest piece that is read back is a block."""
    second, lengths = 16_000, []
    monkeypatch.setattr(surroundings, "BLOCK", 2 * second)
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
    [long] = (curve(model, [], [Negative([recording], NOWHERE, np.random.default_rng(0))]),)
    assert long == curve(model, [], [whole])
    assert max(lengths) <= 2 * second

    found: list[int] = []
    mine(model, [tmp_path / "long.flac"], tmp_path / "mined", 0.5, lambda _, count: found.append(count))
    assert found == [3]
    assert max(lengths) <= 2 * second
    padded = np.pad(whole, (2 * second, second // 2))
    for clip in (tmp_path / "mined").glob("*.flac"):
        at = round(float(clip.stem.removeprefix("long@")) * second)
        np.testing.assert_array_equal(soundfile.read(clip, dtype="int16")[0], padded[at : at + 40_000])
    assert 4 * second > mining.KEPT
