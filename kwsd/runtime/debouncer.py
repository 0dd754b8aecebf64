"""Decides which of the steps at or above a threshold fire. Uses stream time only, not the clock."""

import math

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Settings

MARGIN = 2.0  # the odds of a candidate are at least 7.4 (e²) times those of the steps before
MEAN_SECONDS = 3.0  # time constant of the mean over the steps before
LOWEST_LOG_ODDS = -7.0  # a posterior of 0.001; all lower ones count as this


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
        self._released, self._fired = False, time
        return True


class Candidates:
    """Tells where the first stage may be hearing the keyword.

    It may where the posterior is at or above `candidate_threshold` for `patience` steps in a row, each with a
    full window (warm), and stands out: its log-odds are MARGIN above their running mean over the last
    seconds. Steady noise can hold the posterior above the candidate threshold, but then it does not stand
    out. A word in such noise does. After a trigger there is none for `refractory` seconds, nor until a step
    was no candidate (hysteresis).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._share = 1 - math.exp(-settings.step * HOP / SAMPLE_RATE / MEAN_SECONDS)  # of a step in the mean
        self.reset()

    def reset(self) -> None:
        """Return to the exact initial state."""
        self._consecutive = 0  # steps at or above the threshold that stand out
        self._mean = LOWEST_LOG_ODDS
        self._released = True
        self._fired = -math.inf  # stream time, seconds

    def push(self, posterior: float, time: float, warm: bool) -> bool:
        """Whether this step may be the keyword. time: the stream time of the step, in seconds."""
        settings = self._settings
        log_odds = max(logit(posterior), LOWEST_LOG_ODDS)
        high = posterior >= settings.candidate_threshold and log_odds >= self._mean + MARGIN
        self._released = self._released or not high
        if not warm:
            self._consecutive = 0
            return False
        self._mean += self._share * (log_odds - self._mean)
        self._consecutive = self._consecutive + 1 if high else 0
        refractory_over = time - self._fired >= settings.refractory
        return self._consecutive >= settings.patience and self._released and refractory_over

    def fire(self, time: float) -> None:
        """Record a trigger at this stream time, in seconds."""
        self._consecutive, self._released, self._fired = 0, False, time


def logit(posterior: float) -> float:
    """The log-odds of a posterior, which may have rounded to 0 or 1."""
    inside = min(max(posterior, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))
