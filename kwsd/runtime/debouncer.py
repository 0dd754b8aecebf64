"""When a posterior becomes a trigger. On stream time alone: no clock, no thread."""

import math
from dataclasses import dataclass

from kwsd.runtime.model import Settings


@dataclass(frozen=True)
class Trigger:
    """The keyword was heard."""

    keyword: str
    posterior: float
    stream_time: (
        float  # seconds of audio from the stream's beginning to the end of the frame that completed the step
    )


class Debouncer:
    """Makes one trigger of a spoken keyword.

    Fires when the posterior holds at or above `threshold` for `patience` steps on end, all of them warm.
    Fires again only after `refractory` seconds, and after the posterior has been below `release` since.
    Raises UsageError for a value out of range, or a release above the threshold.
    """

    def __init__(self, threshold: float, patience: int, release: float, refractory: float) -> None:
        self._settings = Settings(
            threshold=threshold, patience=patience, release=release, refractory=refractory
        )
        self.reset()

    def reset(self) -> None:
        """Return to the exact initial state."""
        self._held = 0  # steps on end at or above the threshold
        self._released = True
        self._fired = -math.inf  # stream time

    def push(self, posterior: float, time: float, warm: bool) -> bool:
        """Take a step's posterior at this stream time (seconds); tell whether it fires."""
        settings = self._settings
        if posterior < settings.release:
            self._released = True
        self._held = self._held + 1 if warm and posterior >= settings.threshold else 0
        rested = time - self._fired >= settings.refractory
        if self._held < settings.patience or not self._released or not rested:
            return False
        self.fire(time)
        return True

    def fire(self, time: float) -> None:
        """There is a trigger at this stream time, from here or elsewhere."""
        self._released, self._fired = False, time
