"""Softmax attention over the last steps. The cost of a step does not depend on the window."""

from itertools import accumulate


class SlidingAttention:
    """The weighted mean of the last `window` values, in float64.

    Its sums are those of a queue made of two stacks. Steps fall into blocks of `window`. The current block
    has a running sum. When a block is full, its suffix sums (from every step to its end) are computed once;
    each later step uses the next of them, for the part of that block which is still in the window.

    So nothing is ever subtracted. A running sum from which the oldest step is subtracted would drift, and
    would lose a small weight that was in it together with a large one.
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
