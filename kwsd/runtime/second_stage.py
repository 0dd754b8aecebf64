"""Runs the second stage while the first may be hearing the keyword, and combines both scores.

It is awake from each candidate of the first stage until HOLD_SAMPLES after it, because it needs to hear the
end of the word. While awake it scores every embedding, one each 80 ms. The two stages make different
mistakes, so the score is the weighted mean of their log-odds.
"""

import math
from collections import deque

import numpy as np

from kwsd.runtime.debouncer import Candidates, logit
from kwsd.runtime.embedding import LOOKBACK_SAMPLES, STRIDE_SAMPLES, WARM_UP, EmbeddingStream
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Array, Settings
from kwsd.runtime.verifier import CONTEXT, Heads

HOLD_SAMPLES = 60 * HOP  # 0.6 s: awake for so long after a candidate
FIRST_STAGE_WEIGHT = 1 / 3  # in the mean of the log-odds
MAX_LOG_ODDS = 30.0  # limit of the combined log-odds, whose posterior already rounds to 1
CAUGHT_UP = 2  # embeddings before waking up that are scored, too: the first stage may be later than the heads
MOST_AT_ONCE = 8  # embeddings that are scored at a step; only a step above 0.64 s has more
# the samples before a step that may be needed
SPAN_SAMPLES = (MOST_AT_ONCE + CONTEXT - 1 + WARM_UP + 1) * STRIDE_SAMPLES + LOOKBACK_SAMPLES


class SecondStage:
    """Decides on the steps of one keyword. Positions are in samples since the beginning of the stream."""

    def __init__(self, verifier: dict[str, Array], embeddings: EmbeddingStream, settings: Settings) -> None:
        """embeddings: those of the verifier, which keywords with the same embedding share."""
        self._heads = Heads(verifier, embeddings)
        self._embeddings = embeddings
        self._candidates = Candidates(settings)
        self._threshold = settings.candidate_threshold
        self._posteriors: deque[float] = deque(maxlen=1 + HOLD_SAMPLES // (settings.step * HOP))
        self.reset()

    def reset(self) -> None:
        """Return to the exact initial state."""
        self._candidates.reset()
        self.sleep()

    def sleep(self) -> None:
        """Sleep until the next candidate."""
        self._awake_until = -1  # position
        self._heads.reset()
        self._scored = -CAUGHT_UP  # embeddings before this number need no score
        self._posteriors.clear()  # of the first stage, at the last steps
        self._pending = False

    def fire(self, time: float) -> None:
        """Record a trigger at this stream time, in seconds, and sleep."""
        self._candidates.fire(time)
        self.sleep()

    @property
    def pending(self) -> bool:
        """Whether it is awake, and its last score is still that of a candidate."""
        return self._pending

    def score(self, position: int, posterior: float, time: float, warm: bool) -> float | None:
        """The posterior of both stages at the step that ends here; None if it sleeps or nothing is new.

        posterior, time, warm: those of the step of the first stage. Of the embeddings that ended since the
        last step the highest score counts, and of the first stage the highest posterior in HOLD_SAMPLES.
        """
        self._posteriors.append(posterior)
        if self._candidates.push(posterior, time, warm):
            self._awake_until = position + HOLD_SAMPLES
        ended = self._embeddings.ended(position)
        if position > self._awake_until:
            self._scored, self._pending = max(self._scored, ended - CAUGHT_UP), False
            return None
        first = max(self._scored, ended - MOST_AT_ONCE)
        self._scored = ended
        if first >= ended:
            return None
        with np.errstate(all="ignore"):  # weights of a hostile file may overflow
            second = float(self._heads.read(first, ended).max())
        if not math.isfinite(second):
            second = -math.inf
        log_odds = FIRST_STAGE_WEIGHT * logit(max(self._posteriors)) + (1 - FIRST_STAGE_WEIGHT) * second
        both = 1 / (1 + math.exp(-min(max(log_odds, -MAX_LOG_ODDS), MAX_LOG_ODDS)))
        self._pending = both >= self._threshold
        return both
