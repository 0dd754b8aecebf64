"""95 % confidence intervals of a share and of a rate."""

import math

import numpy as np

Z = 1.959963984540054  # of the normal distribution, 97.5 % lies below


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Of the share count / total, total at least 1 (Wilson 1927)."""
    share = count / total
    scale = 2 * (total + Z**2)
    middle = (2 * total * share + Z**2) / scale
    half = Z / scale * math.sqrt(4 * total * share * (1 - share) + Z**2)
    return (middle - half if count else 0.0), (middle + half if count < total else 1.0)


def count_interval(count: int) -> tuple[float, float]:
    """Of the mean of a Poisson distribution that gave this count, exact (Garwood 1936)."""
    return (_poisson_mean(count - 1, 0.975) if count else 0.0), _poisson_mean(count, 0.025)


def _poisson_mean(count: int, probability: float) -> float:
    """The mean of the Poisson distribution that gives `count` or less with this probability."""
    numbers = np.arange(count + 1)
    log_factorials = np.concatenate(([0.0], np.cumsum(np.log(numbers[1:]))))

    def is_too_low(mean: float) -> bool:  # the lower the mean, the likelier `count` or less
        return float(np.exp(numbers * math.log(mean) - mean - log_factorials).sum()) > probability

    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    while low < (middle := (low + high) / 2) < high:  # until no float lies between
        low, high = (middle, high) if is_too_low(middle) else (low, middle)
    return middle
