import itertools
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from harness import PATIENCE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kwsd.audio.ring import RingBuffer
from kwsd.pcm import Int16


def frames(start: int, count: int) -> Int16:
    """Two channels that number the frames: low and high 15 bits."""
    index = np.arange(start, start + count)
    return np.stack((index % 2**15, index // 2**15), axis=1).astype(np.int16)


def numbers(read: Int16) -> list[int]:
    listed: list[int] = (read @ np.array([1, 2**15])).tolist()
    return listed


@given(st.integers(1, 50), st.lists(st.one_of(st.integers(0, 120), st.none()), max_size=60))
def test_reader_gets_the_newest_frames_in_order_and_the_rest_is_counted(
    capacity: int, writes: list[int | None]
) -> None:
    """A number writes that many frames, None reads: the ring is a list that keeps its last `capacity`."""
    ring = RingBuffer(capacity, channels=2)
    expected: list[int] = []
    written = dropped = 0
    for count in writes:
        if count is None:
            assert ring.waiting == len(expected)
            assert numbers(ring.read(timeout=0)) == expected
            assert ring.dropped == dropped
            expected = []
        else:
            ring.write(frames(written, count))
            expected += range(written, written + count)
            written += count
            dropped += max(0, len(expected) - capacity)
            expected = expected[-capacity:]


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 50))
def test_frames_overwritten_during_the_copy_are_not_given(capacity: int, before: int, during: int) -> None:
    class Raced(RingBuffer):
        raced = False

        def _copy(self, start: int, end: int) -> Int16:
            copied = super()._copy(start, end)
            if not self.raced:
                self.raced = True
                self.write(frames(before, during))
                copied[: max(0, end + during - self.capacity - start)] = -1  # torn
            return copied

    ring = Raced(capacity, channels=2)
    ring.write(frames(0, before))
    got = numbers(ring.read(timeout=0))
    end = got[-1] + 1
    assert got == list(range(end - len(got), end))
    assert end in (before, before + during)
    assert ring.dropped == end - len(got)


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless")
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 2_000), st.lists(st.integers(0, 3_000), min_size=1, max_size=9), st.integers(1, 60))
def test_two_threads_lose_nothing_uncounted(capacity: int, sizes: list[int], times: int) -> None:
    ring = RingBuffer(capacity, channels=2)
    ends = list(itertools.accumulate(sizes * times))
    written = frames(0, ends[-1])

    def produce() -> None:
        for start, end in itertools.pairwise([0, *ends]):
            ring.write(written[start:end])
        ring.close()

    producer = threading.Thread(target=produce)
    producer.start()
    chunks = []
    while len(chunk := ring.read()):
        chunks.append(chunk)
    producer.join()
    received = expected = 0
    for chunk in map(numbers, chunks):
        assert chunk[0] >= expected
        assert chunk == list(range(chunk[0], chunk[0] + len(chunk)))
        received += len(chunk)
        expected = chunk[-1] + 1
    assert received + ring.dropped == expected == ends[-1]


def test_a_reader_that_waits_wakes_on_a_write() -> None:
    ring = RingBuffer(10)
    writer = threading.Timer(0.05, ring.write, [np.ones((3, 1), np.int16)])
    writer.start()
    assert len(ring.read(PATIENCE)) == 3
    writer.join()


def test_a_reader_that_waits_wakes_on_close() -> None:
    ring = RingBuffer(10)
    closer = threading.Timer(0.05, ring.close)
    closer.start()
    assert len(ring.read()) == 0
    assert ring.closed
    closer.join()


def test_a_reader_gets_what_is_left_after_close() -> None:
    ring = RingBuffer(10)
    ring.write(np.ones((3, 1), np.int16))
    ring.close()
    assert len(ring.read()) == 3
    assert len(ring.read()) == 0


def test_a_reader_gives_up_after_its_timeout() -> None:
    assert len(RingBuffer(10).read(timeout=0.01)) == 0
