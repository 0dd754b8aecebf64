"""A finished network: the threshold that it is given."""

import numpy as np
import pytest

from kwsd.training.release.release import threshold_from


def log_odds(posterior: float) -> float:
    return float(np.log(posterior / (1 - posterior)))


@pytest.mark.parametrize(
    ("loudest", "threshold"),
    [
        ([0.75], 0.75),  # one in a thousand other words may reach it
        ([0.75, 0.8], 0.8),  # two may not
        ([0.2], 0.5),
        ([0.99, 0.98], 0.95),
    ],
)
def test_no_more_than_one_in_a_thousand_other_words_reaches_the_threshold(
    loudest: list[float], threshold: float
) -> None:
    others = np.full(1_000, -3.0)
    others[: len(loudest)] = [log_odds(p) for p in loudest]
    keyword = np.array([log_odds(0.999)])
    assert threshold_from(keyword, others) == pytest.approx(threshold, abs=1e-3)
