"""When a verifier is asked, and what is made of its answer.

It is asked at a candidate and, for it has to hear the word's end, again shortly after. What it answers is
weighed with how sure the first stage was: they err in different places.
"""

import math
from collections import deque

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.frontend import HOP
from kwsd.runtime.verifier import SPAN_SAMPLES, Verifier

BLOCK_SAMPLES = SAMPLE_RATE  # samples, at most, that are taken before the steps in them are made
EVERY, LONGEST = (
    16 * HOP,
    40 * HOP,
)  # samples from one verification of a candidate to the next, and to the last
FIRST_STAGE = 1 / 3  # of the log-odds: the share of the surest posterior since the candidate began
LARGEST_ODDS = 30.0  # beyond, a posterior would round to 1


class SecondStage:
    """Keeps what a verifier may have to hear, and asks it. Places are samples from the stream's beginning."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.forget()

    def forget(self) -> None:
        """There is no audio before this, and no candidate."""
        self._history = AudioHistory(SPAN_SAMPLES)
        self._next, self._last = 0, -1
        self._surest = 0.0  # posterior of the first stage

    def hear(self, samples: Samples) -> None:
        """Take the samples that the next steps are made of."""
        self._history.push(samples)

    def begin(self, place: int) -> None:
        """There is a candidate here."""
        if place > self._last:
            self._surest = 0.0
        self._next, self._last = max(place, self._next), place + LONGEST

    def end(self) -> None:
        """There is none any more."""
        self._last = -1

    def score(self, place: int, later: int, posterior: float) -> float | None:
        """The posterior of both stages, where the verifier is to be asked now.

        later: samples heard that lie beyond. posterior: the first stage's at this step.
        """
        if place > self._last:
            return None
        self._surest = max(self._surest, posterior)
        if place < self._next:
            return None
        self._next = place + EVERY
        second = self._verifier.log_odds(self._history.until(later))
        odds = FIRST_STAGE * logit(self._surest) + (1 - FIRST_STAGE) * second
        return 1 / (1 + math.exp(-min(max(odds, -LARGEST_ODDS), LARGEST_ODDS)))


def logit(posterior: float) -> float:
    """The log-odds of a posterior, which may have rounded to 0 or 1."""
    certain = min(max(posterior, 1e-6), 1 - 1e-6)
    return math.log(certain / (1 - certain))


class AudioHistory:
    """The last samples of a stream, as chunks: they are joined only where they are asked for."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._chunks: deque[Samples] = deque()
        self._held = 0

    def push(self, samples: Samples) -> None:
        """Add samples, a BLOCK_SAMPLES at most; what lies further back than `length` before them may go."""
        self._chunks.append(samples.copy())
        self._held += len(samples)
        while self._held - len(self._chunks[0]) >= self.length + BLOCK_SAMPLES:
            self._held -= len(self._chunks.popleft())

    def until(self, later: int) -> Samples:
        """The `length` samples before the last `later`; silence where there were none."""
        joined = np.concatenate((np.zeros(self.length, np.float32), *self._chunks))
        end = len(joined) - later
        return joined[end - self.length : end]
