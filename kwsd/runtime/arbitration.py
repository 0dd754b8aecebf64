"""Decides which word wins where several fire on one utterance, such as "jarvis" and "hey jarvis".

A trigger cannot be taken back once it is out, and a word that fires alone must not be delayed. So a word
waits only while another one may still fire on the same audio. Then the surest of those that fired wins.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from operator import attrgetter

from kwsd.runtime.spotter import Step, Trigger

# words that fire less than this apart count as one utterance, because few words can be said in less time
UTTERANCE_SECONDS = 0.4


class Arbiter:
    """Lets one trigger of each utterance pass. It knows stream time only."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Return to the exact initial state."""
        self._last: Trigger | None = None  # the last trigger that passed
        self._surest: Trigger | None = None  # the trigger that waits
        self._deadline = 0.0  # stream time, in seconds, at which the waiting trigger passes at the latest
        self._pending: set[str] = set()  # keywords that may still fire

    def forget(self) -> list[Trigger]:
        """Forget which words may still fire. The trigger that waited for them passes, and is returned."""
        self._pending.clear()
        return [self._let_pass(self._surest)] if self._surest else []

    def steps(self, streams: Iterable[Iterable[Step]]) -> Iterator[Step]:
        """The steps of all words in the order of their time, with those triggers only that pass.

        streams: the steps of each word. A trigger that waited is given with a later step than its own: with
        a step of its word if there is one at that time, else with one of another word.
        """
        time = attrgetter("time")
        in_order = sorted(chain(*streams), key=time)
        if not self._undecided and not any(step.trigger or step.pending for step in in_order):
            yield from in_order  # nothing to decide, as nearly always
            return
        for _, together in groupby(in_order, time):
            steps = list(together)
            trigger = self._decide(steps)
            carrier = next((one for one in steps if trigger and one.keyword == trigger.keyword), steps[-1])
            for step in steps:
                passing = trigger if step is carrier else None
                yield step if step.trigger is passing else step._replace(trigger=passing)

    @property
    def _undecided(self) -> bool:
        """Whether a trigger waits, or a word may still fire."""
        return self._surest is not None or bool(self._pending)

    def _decide(self, steps: list[Step]) -> Trigger | None:
        """The trigger that passes at the time of these steps. Each step is that of another word."""
        for step in steps:
            if step.pending:
                self._pending.add(step.keyword)
            else:
                self._pending.discard(step.keyword)
            if step.trigger and not self._is_late(step.trigger):
                self._enter(step.trigger)
        if self._surest is None:
            return None
        rivals = self._pending - {self._surest.keyword}
        return None if rivals and steps[0].time < self._deadline else self._let_pass(self._surest)

    def _enter(self, trigger: Trigger) -> None:
        """Let this trigger wait, unless a surer one does. Of equals the first wins."""
        if self._surest is None:
            self._deadline = trigger.stream_time + UTTERANCE_SECONDS
        if self._surest is None or trigger.posterior > self._surest.posterior:
            self._surest = trigger

    def _is_late(self, trigger: Trigger) -> bool:
        """Whether another word has already won this utterance."""
        last = self._last
        return (
            last is not None
            and trigger.keyword != last.keyword
            and trigger.stream_time - last.stream_time < UTTERANCE_SECONDS
        )

    def _let_pass(self, trigger: Trigger) -> Trigger:
        self._last, self._surest = trigger, None
        return trigger
