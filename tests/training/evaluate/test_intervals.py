"""Intervals hold what they say: against the distributions' own sums, and known values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.evaluate.intervals import Z, count_interval, share_interval


def poisson(count: int, mean: float) -> float:
    """The probability of `count` or less."""
    return sum(math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(count + 1))


@given(st.integers(0, 2_000))
def test_a_counts_interval_leaves_out_a_fortieth_on_either_side(count: int) -> None:
    low, high = count_interval(count)
    assert poisson(count, high) == pytest.approx(0.025)
    if count:
        assert 1 - poisson(count - 1, low) == pytest.approx(0.025)
    else:
        assert low == 0


@given(st.integers(1, 500), st.data())
def test_a_shares_interval_ends_where_the_share_is_as_far_off_as_chance_brings_it(
    total: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(0, total))
    for end in share_interval(
        count, total
    ):  # Wilson's: the roots of (share - end)^2 = Z^2 end (1 - end) / total
        assert (count / total - end) ** 2 == pytest.approx(Z**2 * end * (1 - end) / total, abs=1e-12)


def test_intervals_in_numbers() -> None:
    """As scipy has them: binomtest(...).proportion_ci("wilson") and chi2.ppf."""
    assert share_interval(2, 10) == pytest.approx((0.056682151454375274, 0.5098375284633583))
    assert share_interval(0, 10) == (0.0, pytest.approx(0.27753279986288926))
    assert count_interval(3) == pytest.approx((0.6186721228956011, 8.767273069742323))
