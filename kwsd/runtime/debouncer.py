"""Decides which of the steps at or above a threshold fire. Uses stream time only, not the clock."""

import math

from kwsd.runtime.model import LOWEST_THRESHOLD, Settings


class Debouncer:
    """Fires once for each utterance of the keyword.

    It fires when the posterior has been at or above `threshold` for `patience` steps in a row, each with a
    full window (warm). It fires again only after `refractory` seconds, and only if the posterior has been
    below `release` since then (hysteresis).
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings  # may be replaced at any time
        self.reset()

    def reset(self) -> None:
        """Return to the exact initial state."""
        self._consecutive = 0  # steps at or above the threshold
        self._released = True
        self._fired = -math.inf  # stream time, seconds

    @property
    def pending(self) -> bool:
        """Whether the last step was at or above the threshold, but more of them are needed."""
        return self._released and 0 < self._consecutive < self.settings.patience

    def push(self, posterior: float, time: float, warm: bool) -> bool:
        """Whether the debouncer fires at this step. time: the stream time of the step, in seconds."""
        settings = self.settings
        if posterior < settings.release:
            self._released = True
        self._consecutive = self._consecutive + 1 if warm and posterior >= settings.threshold else 0
        refractory_over = time - self._fired >= settings.refractory
        if self._consecutive < settings.patience or not self._released or not refractory_over:
            return False
        self.fire(time)
        return True

    def fire(self, time: float) -> None:
        """Record a trigger at this stream time, in seconds, even one that the second stage decided on."""
        self._released, self._fired = False, time


class CandidateDebouncer:
    """Fires once for each candidate of the first stage, where the candidate begins. It has two debouncers.

    Loud steady noise can hold the posterior around the candidate threshold. The first debouncer fires at that
    threshold and is released only below half of it, so such noise makes one candidate instead of a hundred a
    minute. The second debouncer fires halfway between the candidate threshold and 1, so a word that stands
    out above the noise is still a candidate.
    """

    def __init__(self, settings: Settings) -> None:
        low = settings.candidate_threshold
        self._debouncers = tuple(
            Debouncer(settings.override(threshold=level, release=max(level / 2, LOWEST_THRESHOLD)))
            for level in (low, (1 + low) / 2)
        )

    def reset(self) -> None:
        """Return to the exact initial state."""
        for debouncer in self._debouncers:
            debouncer.reset()

    def push(self, posterior: float, time: float, warm: bool) -> bool:
        """Whether a candidate begins at this step. The arguments are those of `Debouncer.push`."""
        fires = [debouncer.push(posterior, time, warm) for debouncer in self._debouncers]
        return any(fires)

    def fire(self, time: float) -> None:
        """Record a trigger at this stream time, in seconds. `push` says when a candidate begins."""
        for debouncer in self._debouncers:
            debouncer.fire(time)
