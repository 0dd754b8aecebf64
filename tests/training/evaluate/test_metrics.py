import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.training.evaluate.metrics import (
    au_fa_fr,
    bootstrap_interval,
    clip_metrics,
    det_curve,
    frr_at_fa,
    one_minus_auroc,
)

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40).map(np.array)  # many ties


def pairwise(positives: np.ndarray, negatives: np.ndarray) -> float:
    wrong = sum((n > p) + (n == p) / 2 for p in positives for n in negatives)
    return float(wrong / (len(positives) * len(negatives)))


@given(SCORES, SCORES)
def test_one_minus_auroc_is_the_pairwise_definition(positives: np.ndarray, negatives: np.ndarray) -> None:
    assert one_minus_auroc(positives, negatives) == pytest.approx(pairwise(positives, negatives))


@given(SCORES, SCORES)
def test_au_fa_fr_is_the_trapezoid_under_fr_over_fa(positives: np.ndarray, negatives: np.ndarray) -> None:
    total = len(positives) + len(negatives)
    thresholds = np.append(np.unique(np.concatenate((positives, negatives))), np.inf)
    false_alarms = np.array([(negatives >= t).sum() for t in thresholds]) / total
    false_rejections = np.array([(positives < t).sum() for t in thresholds]) / total
    area = -np.trapezoid(false_rejections, false_alarms)
    assert au_fa_fr(positives, negatives) == pytest.approx(area)


def test_balance_scales_the_area() -> None:
    positives, negatives = np.array([1.0, 3.0]), np.array([0.0, 2.0])  # one pair of four is wrong
    assert au_fa_fr(positives, negatives, (1_734, 64_721)) == pytest.approx(
        1_734 / 64_721 * (1 - 1_734 / 64_721) / 4
    )


@given(SCORES, SCORES)
def test_det_curve_counts_at_every_threshold(positives: np.ndarray, negatives: np.ndarray) -> None:
    false_alarms, false_rejections = det_curve(positives, negatives)
    thresholds = np.append(np.unique(np.concatenate((positives, negatives))), np.inf)
    assert false_alarms == pytest.approx([(negatives >= t).mean() for t in thresholds])
    assert false_rejections == pytest.approx([(positives < t).mean() for t in thresholds])


@given(SCORES, SCORES, st.floats(0, 1))
def test_frr_at_fa_is_the_lowest_that_keeps_to_it(
    positives: np.ndarray, negatives: np.ndarray, fa: float
) -> None:
    thresholds = np.append(np.unique(np.concatenate((positives, negatives))), np.inf)
    kept = [(positives < t).mean() for t in thresholds if (negatives >= t).mean() <= fa]
    assert frr_at_fa(positives, negatives, fa) == pytest.approx(min(kept))


def test_bootstrap_interval_is_that_of_the_clips_drawn_again() -> None:
    """Of 100 keywords half score below all others: the share of them in 100 drawn is 0.5, to 0.05."""
    low, high = bootstrap_interval(np.repeat([1.0, -1.0], 50), np.zeros(100))
    assert (low, high) == (pytest.approx(0.40, abs=0.02), pytest.approx(0.60, abs=0.02))


def test_bootstrap_interval_holds_the_value_and_narrows() -> None:
    random = np.random.default_rng(0)

    def width(count: int) -> float:
        positives, negatives = random.normal(2, 1, count), random.normal(0, 1, count)
        low, high = bootstrap_interval(positives, negatives)
        assert low <= one_minus_auroc(positives, negatives) <= high
        return high - low

    assert width(2_000) < width(100) / 2


def test_the_metrics_of_clips_in_numbers() -> None:
    keyword = np.array([0.5, 1.5, 2.5, 9.5])
    others = np.array([0.0] * 982 + [0.7] * 15 + [1.0, 2.0, 3.0])
    found = clip_metrics(keyword, others)
    assert found["clips"] == [4, 1_000]
    wrong = (18 + 2 + 1) / 4_000
    assert found["one_minus_auroc"] == pytest.approx(wrong)
    low, high = found["one_minus_auroc_95"]
    assert low < wrong < high
    assert found["au_fa_fr"] == pytest.approx(4 * 1_000 / 1_004**2 * wrong)
    # of Speech Commands' 64,721 clips 1,734 say the keyword
    assert found["au_fa_fr_speech_commands"] == pytest.approx(1_734 * 62_987 / 64_721**2 * wrong)
    # at most 10 of the others are above 0.7, and at most one above 2
    assert (found["frr_at_fa_1_percent"], found["frr_at_fa_0.1_percent"]) == (0.25, 0.5)
