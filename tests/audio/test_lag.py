from hypothesis import given
from hypothesis import strategies as st

from kwsd.audio.lag import STALL_SECONDS, LagDetector

LIVE = st.lists(st.sampled_from([0.02, 0.05, 0.1, 0.5]), min_size=1, max_size=20)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def recorded_live(lag: LagDetector, clock: Clock, chunks: list[float], jitter: float) -> list[bool]:
    """Which of these chunks, each there a little after it was recorded, are late."""
    late = []
    for seconds in chunks:
        clock.now += seconds * jitter
        late.append(lag.is_late(seconds))
    return late


@given(LIVE, LIVE, LIVE, st.floats(0.6, 3.0), st.floats(STALL_SECONDS, 1e6))
def test_late_is_what_comes_in_a_rush_after_a_standstill(
    before: list[float], rush: list[float], after: list[float], jitter: float, stopped: float
) -> None:
    clock = Clock()
    lag = LagDetector(clock)
    assert not any(recorded_live(lag, clock, before, jitter))
    clock.now += stopped
    assert all(recorded_live(lag, clock, rush, 0.01))
    assert not any(recorded_live(lag, clock, after, jitter))


@given(LIVE, LIVE, st.floats(0.0, STALL_SECONDS - 0.1))
def test_a_short_standstill_loses_nothing(before: list[float], rush: list[float], stopped: float) -> None:
    clock = Clock()
    lag = LagDetector(clock)
    recorded_live(lag, clock, before, 1.0)
    clock.now += stopped
    assert not any(recorded_live(lag, clock, rush, 0.01))


def test_a_first_chunk_that_is_long_in_coming_is_not_late() -> None:
    clock = Clock()
    lag = LagDetector(clock)
    clock.now += 60
    assert not lag.is_late(0.05)
