"""Finds near misses: utterances that almost made a trigger.

The odds of their best score are below those of the threshold, but at least a tenth of them. The score is the
one that is compared with the threshold: of both stages if the model has a second stage.
"""

import math
from typing import NamedTuple

from kwsd.runtime.debouncer import logit
from kwsd.runtime.spotter import Step

NEAR = math.log(10)  # log-odds below the threshold that are near
WAIT_SECONDS = 0.6  # that a better score or a trigger may follow, also that of another word
APART_SECONDS = 1.0  # without a near score between two utterances


class NearMiss(NamedTuple):
    """An utterance that almost made a trigger."""

    keyword: str

    score: float
    """Its best posterior."""

    time: float
    """Stream time of that in seconds."""


class NearMisses:
    """Finds one near miss in each utterance, that of the word which was nearest to its threshold.

    A trigger of any word means that the utterance was heard. Then it is no near miss of another word.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the utterance, as when audio is missing."""
        self._best: NearMiss | None = None
        self._margin = -math.inf  # log-odds of the best score above the threshold
        self._last_near = -math.inf  # stream time of the last near score, seconds
        self._decided = False  # whether this utterance has led to a near miss or a trigger

    def push(self, step: Step, score: float | None, threshold: float) -> NearMiss | None:
        """Take the next step. Returns the near miss that is certain now, if there is one.

        score: the posterior that is compared with the threshold; None if there is none at this step.
        """
        found = None
        if self._best and step.time >= self._best.time + WAIT_SECONDS and not step.trigger:
            found = self.finish()
        margin = -math.inf if score is None else logit(score) - logit(threshold)
        if step.trigger or margin >= -NEAR:
            if step.time > self._last_near + APART_SECONDS:
                self.reset()
            self._last_near = step.time
        if step.trigger:
            self._best, self._decided = None, True
        elif margin >= -NEAR and not self._decided and (self._best is None or margin > self._margin):
            assert score is not None
            self._best, self._margin = NearMiss(step.keyword, score, step.time), margin
        return found

    def finish(self) -> NearMiss | None:
        """The near miss that was not certain yet; nothing follows that could make it a trigger."""
        found, self._best = self._best, None
        self._decided = self._decided or found is not None
        return found
