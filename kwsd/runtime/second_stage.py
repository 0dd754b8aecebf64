"""Runs the second stage on the candidates of the first, and combines both scores.

A candidate is verified when it begins and again every 0.16 s for 0.4 s, because the verifier needs to hear
the end of the word. The two stages make different mistakes, so the score is the weighted mean of their
log-odds.
"""

import math

from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.frontend import HOP
from kwsd.runtime.verifier import Verifier

INTERVAL_SAMPLES = 16 * HOP  # 0.16 s between two verifications of a candidate
CANDIDATE_SAMPLES = 40 * HOP  # 0.4 s, for which a candidate is verified
FIRST_STAGE_WEIGHT = 1 / 3  # in the mean of the log-odds
MAX_LOG_ODDS = 30.0  # limit of the combined log-odds, whose posterior already rounds to 1


class SecondStage:
    """Scores the current candidate. Positions are in samples since the beginning of the stream."""

    def __init__(self, verifier: Verifier, history: AudioHistory) -> None:
        self._verifier = verifier
        self._history = history
        self.reset()

    def reset(self) -> None:
        """Return to the exact initial state, without a candidate."""
        # position of the next verification, which also holds for a new candidate, to limit the CPU time
        self._due = 0
        self._end = -1  # position at which the candidate ends; -1 if there is none
        self._highest = 0.0  # posterior of the first stage since the candidate began

    def begin(self, position: int) -> None:
        """Begin a candidate here, or extend the current one to CANDIDATE_SAMPLES after this position."""
        if position > self._end:
            self._highest = 0.0
        self._due, self._end = max(position, self._due), position + CANDIDATE_SAMPLES

    def end(self) -> None:
        """End the current candidate."""
        self._end = -1

    def pending(self, position: int) -> bool:
        """Whether the current candidate will be verified again after this position."""
        return position < self._end and self._due <= self._end

    def score(self, position: int, posterior: float) -> float | None:
        """The posterior of both stages if a verification is due at this position, else None.

        posterior: of the first stage at this step. Its highest value since the candidate began counts.
        """
        if position > self._end:
            return None
        self._highest = max(self._highest, posterior)
        if position < self._due:
            return None
        self._due = position + INTERVAL_SAMPLES
        second = self._verifier.log_odds(self._history.before(position))
        log_odds = FIRST_STAGE_WEIGHT * logit(self._highest) + (1 - FIRST_STAGE_WEIGHT) * second
        return 1 / (1 + math.exp(-min(max(log_odds, -MAX_LOG_ODDS), MAX_LOG_ODDS)))


def logit(posterior: float) -> float:
    """The log-odds of a posterior, which may have rounded to 0 or 1."""
    inside = min(max(posterior, 1e-6), 1 - 1e-6)
    return math.log(inside / (1 - inside))
