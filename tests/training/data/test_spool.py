"""Recordings in a temporary file are as arrays."""

import errno
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.errors import KwsdError
from kwsd.training.data.spool import Spool


def noise(length: int, level: float = 3_000, seed: int = 0) -> np.ndarray:
    found: np.ndarray = np.random.default_rng(seed).normal(0, level, length).astype(np.int16)
    return found


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


@given(st.lists(st.integers(0, 50), max_size=4))
def test_all_recordings_in_a_spool_are_as_one_array(lengths: list[int]) -> None:
    spool = Spool()
    arrays = [noise(length, seed=number) for number, length in enumerate(lengths)]
    for array in arrays:
        spool.add([array])
    samples, path = spool.samples(), spool.path
    del spool
    np.testing.assert_array_equal(samples, np.concatenate([noise(0), *arrays]))
    assert path.exists() == bool(sum(lengths))
    del samples
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
