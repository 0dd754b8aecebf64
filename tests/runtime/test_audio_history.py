import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kwsd.runtime.audio_history import BLOCK_SAMPLES, AudioHistory


@given(
    sizes=st.lists(st.integers(0, 400), max_size=20), later=st.integers(0, 300), length=st.integers(1, 500)
)
def test_the_history_is_the_last_samples(sizes: list[int], later: int, length: int) -> None:
    history, stream = AudioHistory(length), np.arange(1, sum(sizes) + 1, dtype=np.float32)
    start = 0
    for size in sizes:
        history.push(stream[start : start + size])
        start += size
    later = min(later, len(stream))
    wanted = np.concatenate((np.zeros(length, np.float32), stream))
    end = len(wanted) - later
    np.testing.assert_array_equal(history.before(len(stream) - later), wanted[end - length : end])


@given(
    sizes=st.lists(st.integers(1, BLOCK_SAMPLES), min_size=1, max_size=8),
    length=st.sampled_from([1, 1000, 40_000]),
)
def test_the_history_reaches_as_far_back_as_may_be_asked_for(sizes: list[int], length: int) -> None:
    history, stream = AudioHistory(length), np.arange(1, sum(sizes) + 1, dtype=np.float32)
    wanted = np.concatenate((np.zeros(length, np.float32), stream))
    start = 0
    for size in sizes:
        history.push(stream[start : start + size])
        start += size
        for later in (0, size - 1):
            end = length + start - later
            np.testing.assert_array_equal(history.before(start - later), wanted[end - length : end])


def test_the_history_forgets_what_nobody_will_ask_for() -> None:
    history = AudioHistory(1000)
    for _ in range(100):
        history.push(np.zeros(BLOCK_SAMPLES // 4, np.float32))
    assert history._held <= 1000 + BLOCK_SAMPLES + BLOCK_SAMPLES // 4


def test_positions_go_on_after_audio_is_missing() -> None:
    history = AudioHistory(4)
    history.push(np.ones(10, np.float32))
    history.clear(100)
    history.push(np.array([1, 2, 3], np.float32))
    assert history.before(102).tolist() == [0, 0, 1, 2]
