"""When a verifier is asked: at a candidate and, for it has to hear the word's end, again shortly after."""

from collections import deque

import numpy as np

from kwsd.runtime.frontend import HOP, SAMPLE_RATE, Samples
from kwsd.runtime.verifier import SPAN, Verifier

BLOCK = SAMPLE_RATE  # samples, at most, that are taken before the steps in them are made
EVERY, LONGEST = 16 * HOP, 40 * HOP  # samples from one inquiry about a candidate to the next, and to the last


class Inquiry:
    """Keeps what a verifier may have to hear, and asks it. Places are samples from the stream's beginning."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.forget()

    def forget(self) -> None:
        """There is no audio before this, and no candidate."""
        self._past = Past(SPAN)
        self._next, self._last = 0, -1

    def hear(self, samples: Samples) -> None:
        """Take the samples that the next steps are made of."""
        self._past.push(samples)

    def begin(self, place: int) -> None:
        """There is a candidate here."""
        self._next, self._last = max(place, self._next), place + LONGEST

    def end(self) -> None:
        """There is none any more."""
        self._last = -1

    def answer(self, place: int, later: int) -> float | None:
        """The verifier's posterior, where it is to be asked now. later: samples heard that lie beyond."""
        if not self._next <= place <= self._last:
            return None
        self._next = place + EVERY
        return self._verifier.posterior(self._past.until(later))


class Past:
    """The last samples of a stream, as chunks: they are joined only where they are asked for."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._chunks: deque[Samples] = deque()
        self._held = 0

    def push(self, samples: Samples) -> None:
        """Add samples, a BLOCK at most; what lies further back than `length` before them may go."""
        self._chunks.append(samples.copy())
        self._held += len(samples)
        while self._held - len(self._chunks[0]) >= self.length + BLOCK:
            self._held -= len(self._chunks.popleft())

    def until(self, later: int) -> Samples:
        """The `length` samples before the last `later`; silence where there were none."""
        joined = np.concatenate((np.zeros(self.length, np.float32), *self._chunks))
        end = len(joined) - later
        return joined[end - self.length : end]
