"""The samples of the last seconds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kwsd.runtime.audio_history import MAX_PUSH_SAMPLES, AudioHistory


@given(
    sizes=st.lists(st.integers(1, MAX_PUSH_SAMPLES), max_size=8),
    length=st.sampled_from([1, 1000, 40_000]),
    position=st.sampled_from([0, 777]),
)
def test_the_history_reaches_as_far_back_as_may_be_asked_for(
    sizes: list[int], length: int, position: int
) -> None:
    """Up to `length` samples before each position of the last second, with silence before the stream."""
    history, stream = AudioHistory(length), np.arange(1, sum(sizes) + 1, dtype=np.float32)
    history.clear(position)
    wanted = np.concatenate((np.zeros(length, np.float32), stream))
    pushed = 0
    for size in sizes:
        history.push(stream[pushed : pushed + size])
        pushed += size
        assert (history.start, history.end) == (position, position + pushed)
        for later in (0, size - 1):
            stop = position + pushed - later
            found = history.read(stop - length, stop)
            np.testing.assert_array_equal(found, wanted[pushed - later :][:length])


def test_positions_go_on_after_audio_is_missing() -> None:
    history = AudioHistory(4)
    history.push(np.ones(10, np.float32))
    history.clear(100)
    history.push(np.array([1, 2, 3], np.float32))
    assert history.read(98, 102).tolist() == [0, 0, 1, 2]
