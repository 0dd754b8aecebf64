from hypothesis import given
from hypothesis import strategies as st

from kwsd.audio.lag import STANDSTILL, Pace

LIVE = st.lists(st.sampled_from([0.02, 0.05, 0.1, 0.5]), min_size=1, max_size=20)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def recorded_live(pace: Pace, clock: Clock, chunks: list[float], jitter: float) -> list[bool]:
    """Which of these chunks, each there a little after it was recorded, are late."""
    late = []
    for seconds in chunks:
        clock.now += seconds * jitter
        late.append(pace.late(seconds))
    return late


@given(LIVE, LIVE, LIVE, st.floats(0.6, 3.0), st.floats(STANDSTILL, 1e6))
def test_late_is_what_comes_in_a_rush_after_a_standstill(
    before: list[float], rush: list[float], after: list[float], jitter: float, stopped: float
) -> None:
    clock = Clock()
    pace = Pace(clock)
    assert not any(recorded_live(pace, clock, before, jitter))
    clock.now += stopped
    assert all(recorded_live(pace, clock, rush, 0.01))
    assert not any(recorded_live(pace, clock, after, jitter))


@given(LIVE, LIVE, st.floats(0.0, STANDSTILL - 0.1))
def test_a_short_standstill_loses_nothing(before: list[float], rush: list[float], stopped: float) -> None:
    clock = Clock()
    pace = Pace(clock)
    recorded_live(pace, clock, before, 1.0)
    clock.now += stopped
    assert not any(recorded_live(pace, clock, rush, 0.01))


def test_a_first_chunk_that_is_long_in_coming_is_not_late() -> None:
    clock = Clock()
    pace = Pace(clock)
    clock.now += 60
    assert not pace.late(0.05)
