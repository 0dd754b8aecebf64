"""The bonus: an additional head, which raises the score of what sounds like the recordings of the users.

Linear discriminant analysis tells the recordings from other speech, by the ten embeddings that a head sees:
z is 0 for the mean of other speech and 1 for that of the recordings. The bonus is 0 log-odds up to z = START
and BONUS from z = FULL on, with a line between. So by construction

- no score falls: who was heard before is still heard,
- no score of the second stage rises by more than BONUS: false alarms are at most those of the model at a
  threshold that is BONUS * 2 / 3 log-odds lower (the second stage has two thirds of the combined score).

A head of the verifier can compute this, so a model file needs nothing new.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import Array
from kwsd.runtime.verifier import CONTEXT, HIDDEN, MAX_HEADS

BONUS = 5.0  # log-odds of the second stage
START, FULL = 0.4, 0.7  # values of z between which the bonus grows
SHRINKAGE = 0.1  # share of the mean variance that is added to each, because there are few examples
OUTPUT = ("output.weight", "output.bias")
HEADS = ("each.weight", "each.bias", "together.weight", "together.bias", *OUTPUT)

Windows = NDArray[np.float32]  # the embeddings that a head sees, (n, CONTEXT, EMBEDDING)


@dataclass(frozen=True)
class Bonus:
    """What sounds like the recordings: z = weights . window + offset, and where the bonus begins."""

    weights: NDArray[np.float64]
    """(CONTEXT, EMBEDDING)"""

    offset: float

    start: float = START
    """The value of z from which on there is a bonus. The whole bonus is given FULL - START later."""

    def z(self, windows: Windows) -> NDArray[np.float64]:
        """How much windows sound like the recordings, (n,)."""
        similar: NDArray[np.float64] = np.tensordot(windows.astype(np.float64), self.weights, 2) + self.offset
        return similar

    def of(self, windows: Windows) -> NDArray[np.float64]:
        """The bonus of windows in log-odds, (n,)."""
        bonus: NDArray[np.float64] = BONUS * ((self.z(windows) - self.start) / (FULL - START)).clip(0, 1)
        return bonus


class Discriminant:
    """Linear discriminant analysis against one sample of other speech, for several sets of recordings."""

    def __init__(self, speech: Windows) -> None:
        """speech: windows of speech without the word."""
        flat = speech.reshape(len(speech), -1).astype(np.float64)
        self._mean = flat.mean(axis=0)
        covariance = np.cov(flat.T)
        covariance[np.diag_indices_from(covariance)] += SHRINKAGE * covariance.trace() / len(covariance)
        self._inverse = np.linalg.inv(covariance)

    def bonus(self, recordings: Windows, others: Windows) -> Bonus:
        """The bonus for these recordings of the word.

        others: windows of what is not the word but sounds like it, which must get no bonus; may be empty.
        """
        mean = recordings.reshape(len(recordings), -1).mean(axis=0, dtype=np.float64)
        direction = self._inverse @ (mean - self._mean)
        direction /= direction @ (mean - self._mean)
        bonus = Bonus(direction.reshape(CONTEXT, EMBEDDING), float(-direction @ self._mean))
        start = max(START, bonus.z(others).max(initial=START))
        return Bonus(bonus.weights, bonus.offset, start)


def with_bonus(verifier: dict[str, Array], bonus: Bonus) -> dict[str, Array]:
    """A verifier with the bonus as a further head.

    The score is the mean of all heads, so those there were are scaled by the new number over the old. The
    number is doubled, with heads of zeros, because twice a float16 is exact.
    """
    heads = len(verifier["output.bias"])
    assert 2 * heads <= MAX_HEADS
    added = {name: np.zeros_like(verifier[name]) for name in HEADS}
    head = _head(bonus, scale=2.0 * heads)
    for name, array in head.items():
        added[name][0] = array
    scaled = {name: 2 * verifier[name] if name in OUTPUT else verifier[name] for name in HEADS}
    return verifier | {name: np.concatenate((scaled[name], added[name])) for name in HEADS}


def _head(bonus: Bonus, scale: float) -> dict[str, NDArray[np.float64]]:
    """The arrays of a head whose output is `scale` times the bonus, rounded to float16.

    z is a sum over time and over at most CONTEXT directions in the embedding (singular value decomposition).
    Each direction takes two units, one for its positive values and one for the negative ones.
    """
    times, sizes, directions = np.linalg.svd(bonus.weights, full_matrices=False)
    each = np.zeros((EMBEDDING, HIDDEN))
    together = np.zeros((CONTEXT, HIDDEN, HIDDEN))
    pair = np.array([1.0, -1.0])
    for number, (time, size, direction) in enumerate(zip(times.T, sizes, directions, strict=True)):
        units = slice(2 * number, 2 * number + 2)
        each[:, units] = direction[:, None] * pair
        together[:, units, :2] = (size * time)[:, None, None] * pair[:, None]  # units 0 and 1 get z
    biases = np.zeros((1, HIDDEN))
    biases[0, :2] = bonus.offset - bonus.start, bonus.offset - bonus.start - (FULL - START)
    output = np.zeros((HIDDEN, 1))
    output[:2, 0] = pair * scale * BONUS / (FULL - START)  # a line that begins, less one that begins later
    arrays = {
        "each.weight": each,
        "each.bias": np.zeros((1, HIDDEN)),
        "together.weight": together.reshape(-1, HIDDEN),
        "together.bias": biases,
        "output.weight": output,
        "output.bias": np.zeros((1, 1)),
    }
    return {name: array.astype(np.float16).astype(np.float64) for name, array in arrays.items()}
