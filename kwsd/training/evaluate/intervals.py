"""95 % confidence intervals of a share and of a rate."""

import math

import numpy as np

Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def share_interval(count: int, total: int) -> tuple[float, float]:
    """95 % interval of the share count / total; total is at least 1 (Wilson 1927)."""
    share = count / total
    scale = 2 * (total + Z**2)
    middle = (2 * total * share + Z**2) / scale
    half = Z / scale * math.sqrt(4 * total * share * (1 - share) + Z**2)
    return (middle - half if count else 0.0), (middle + half if count < total else 1.0)


def count_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of a Poisson distribution, given one count (Garwood 1936)."""
    return (_poisson_mean(count - 1, 0.975) if count else 0.0), _poisson_mean(count, 0.025)


def _poisson_mean(count: int, probability: float) -> float:
    """Mean of the Poisson distribution in which `count` or less has this probability."""
    numbers = np.arange(count + 1)
    log_factorials = np.concatenate(([0.0], np.cumsum(np.log(numbers[1:]))))

    def is_too_low(mean: float) -> bool:  # `count` or less is more probable the lower the mean is
        return float(np.exp(numbers * math.log(mean) - mean - log_factorials).sum()) > probability

    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    while low < (middle := (low + high) / 2) < high:  # until there is no float between them
        low, high = (middle, high) if is_too_low(middle) else (low, middle)
    return middle
