"""Metrics of the scores of clips: 1 - AUROC, the area under FR over FA, FRR at a false alarm rate."""

from typing import Any

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating]

SPEECH_COMMANDS_BALANCE = (
    1_734,
    64_721,
)  # clips of the keyword, and all, in the experiment that this project began with


def misranked(positives: Scores, negatives: Scores) -> npt.NDArray[np.float64]:
    """The share of the negatives that score above each positive; ties count half. (n,) and (m,) to (n,)."""
    ordered = np.sort(negatives)
    low, high = (np.searchsorted(ordered, positives, side=side) for side in ("left", "right"))
    shares: npt.NDArray[np.float64] = 1 - (low + high) / (2 * len(ordered))
    return shares


def one_minus_auroc(positives: Scores, negatives: Scores) -> float:
    """P(a negative scores above a positive) + P(tie) / 2: the Mann-Whitney statistic, by sorting.

    positives, negatives: scores of the clips with and without the keyword, any shape (n,).
    """
    return float(misranked(positives, negatives).mean())


def au_fa_fr(positives: Scores, negatives: Scores, balance: tuple[int, int] | None = None) -> float:
    """Area under FR over FA, both divided by the number of all clips: P(pos) P(neg) (1 - AUROC).

    balance: (keyword clips, all clips) to report it at; those of the data if None.
    """
    keyword, total = balance or (len(positives), len(positives) + len(negatives))
    share = keyword / total
    return share * (1 - share) * one_minus_auroc(positives, negatives)


def det_curve(
    positives: Scores, negatives: Scores
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """False alarm rate and false rejection rate at every threshold, both (n,), in order of falling FA."""
    thresholds = np.unique(np.concatenate((positives, negatives, [np.inf])))
    false_rejections = np.searchsorted(np.sort(positives), thresholds, side="left") / len(positives)
    below = np.searchsorted(np.sort(negatives), thresholds, side="left")
    false_alarms = (len(negatives) - below) / len(negatives)  # so that one of a thousand is exactly 0.001
    return false_alarms, false_rejections


def frr_at_fa(positives: Scores, negatives: Scores, fa: float) -> float:
    """The lowest FRR at a false alarm rate of at most `fa`: of clips (a share of them), not per hour."""
    false_alarms, false_rejections = det_curve(positives, negatives)
    return float(false_rejections[false_alarms <= fa].min())


def bootstrap_interval(
    positives: Scores, negatives: Scores, rounds: int = 1_000, seed: int = 0
) -> tuple[float, float]:
    """95 % bootstrap interval of 1 - AUROC, by resampling the clips (Efron 1979)."""
    random = np.random.default_rng(seed)
    # each positive's own misranked share of negatives; resampling negatives reweights their sorted counts
    ordered = np.sort(negatives)
    low = np.searchsorted(ordered, positives, side="left")
    high = np.searchsorted(ordered, positives, side="right")
    values = np.empty(rounds)
    for i in range(rounds):
        weights = np.bincount(random.integers(len(ordered), size=len(ordered)), minlength=len(ordered))
        above = np.concatenate((np.cumsum(weights[::-1])[::-1], [0]))  # weight at or above each rank
        misranked = (above[low] + above[high]) / 2
        values[i] = misranked[random.integers(len(positives), size=len(positives))].mean() / len(ordered)
    low_end, high_end = np.quantile(values, [0.025, 0.975])
    return float(low_end), float(high_end)


def clip_metrics(keyword: Scores, others: Scores) -> dict[str, Any]:
    """The metrics of clip scores for a card and for ``kwsd evaluate``."""
    low, high = bootstrap_interval(keyword, others)
    return {
        "clips": [len(keyword), len(others)],
        "one_minus_auroc": one_minus_auroc(keyword, others),
        "one_minus_auroc_95": [low, high],
        "au_fa_fr": au_fa_fr(keyword, others),
        "au_fa_fr_speech_commands": au_fa_fr(keyword, others, SPEECH_COMMANDS_BALANCE),
        "frr_at_fa_1_percent": frr_at_fa(keyword, others, 0.01),
        "frr_at_fa_0.1_percent": frr_at_fa(keyword, others, 0.001),
    }
