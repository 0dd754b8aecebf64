"""Softmax attention over the last steps, at a cost per step that does not grow with the window."""

from itertools import accumulate


class SlidingAttention:
    """The weighted mean of the last `window` values, in float64.

    Nothing is ever subtracted: a running sum from which the oldest step is taken away drifts, and loses
    a small weight that shared it with a large one. Steps fall into blocks of `window`. The block being filled
    has a running sum; when it is full, its sums from every step to its end are built once, and each later
    step uses the next of them for what is left of that block in the window (the two-stack queue).
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.reset()

    def reset(self) -> None:
        """Forget all steps."""
        self.seen = 0
        self._weights: list[float] = []  # of the block being filled
        self._moments: list[float] = []  # weight x value
        self._weight = self._moment = 0.0
        self._older_weights = [0.0] * (self.window + 1)  # of the block before, from each step to its end
        self._older_moments = [0.0] * (self.window + 1)

    def push(self, weight: float, value: float) -> float:
        """Take a step of this positive weight; give the weighted mean over the last `window` steps."""
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
