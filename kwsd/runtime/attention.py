"""Softmax attention over the last steps. The cost of a step does not depend on the window."""

from itertools import accumulate


class SlidingAttention:
    """The weighted mean of the last `window` values, in float64.

    It keeps its sums like a queue that is made of two stacks. Steps are grouped into blocks of `window`. The
    current block has a running sum. When it is full, its suffix sums (from each step to the end of the block)
    are computed once. Each later step uses the next one of them, for the part of the full block that is still
    in the window.

    So nothing is ever subtracted. Subtracting the oldest step from a running sum would make the sum drift,
    and a small weight next to a large one would be lost.
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.reset()

    def reset(self) -> None:
        """Forget all steps."""
        self.seen = 0
        self._weights: list[float] = []  # of the current block
        self._moments: list[float] = []  # weight x value
        self._weight = self._moment = 0.0
        self._older_weights = [0.0] * (self.window + 1)  # suffix sums of the previous block
        self._older_moments = [0.0] * (self.window + 1)

    def push(self, weight: float, value: float) -> float:
        """The weighted mean of the last `window` steps, this one included. weight: positive."""
        if len(self._weights) == self.window:
            self._older_weights = list(accumulate(reversed(self._weights), initial=0.0))
            self._older_moments = list(accumulate(reversed(self._moments), initial=0.0))
            self._weights.clear()
            self._moments.clear()
            self._weight = self._moment = 0.0
        self.seen += 1
        moment = weight * value
        self._weights.append(weight)
        self._moments.append(moment)
        self._weight += weight
        self._moment += moment
        self._older_weights.pop()
        self._older_moments.pop()
        return (self._moment + self._older_moments[-1]) / (self._weight + self._older_weights[-1])
