"""Spots one keyword in log-mel frames: engine, debouncer and, if the model has one, second stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.debouncer import Debouncer
from kwsd.runtime.embedding import EmbeddingStream
from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import HOP, N_MELS, POWER_FLOOR, Frames
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.second_stage import SecondStage


@dataclass(frozen=True)
class Trigger:
    """The keyword was heard."""

    keyword: str

    posterior: float
    """Of both stages if the model has a second stage, else of the first."""

    stream_time: float
    """Seconds from the beginning of the stream to the end of the step's last frame."""


class Step(NamedTuple):
    """One step of a detector."""

    time: float
    """Stream time in seconds: the end of the step's last frame."""

    posterior: float
    """Of the first stage."""

    warm: bool
    """Whether the attention has seen a whole window."""

    trigger: Trigger | None

    verified: float | None = None
    """Posterior of both stages, low or high, if the second stage scored something at this step."""

    keyword: str = ""

    pending: bool = False
    """Whether the keyword may still be detected in what was heard: the second stage is awake and does not
    reject it yet, or more consecutive steps are needed."""


class TriggerRule:
    """Decides which steps of a stream make a trigger.

    With a second stage, the posterior of both stages must reach the threshold; without one, a debouncer
    decides.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        self._debouncer = None if model.verifier else Debouncer(settings)
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Decide with these settings from the next step on."""
        self._threshold = settings.threshold
        if self._debouncer:
            self._debouncer.settings = settings

    def reset(self) -> None:
        """Return to the exact initial state."""
        if self._debouncer:
            self._debouncer.reset()

    @property
    def pending(self) -> bool:
        """Whether more consecutive steps are needed for a trigger."""
        return self._debouncer is not None and self._debouncer.pending

    def push(self, step: Step) -> bool:
        """Whether this step, the next one of the stream, makes a trigger."""
        if self._debouncer:
            return self._debouncer.push(step.posterior, step.time, step.warm)
        return step.verified is not None and step.verified >= self._threshold


class Spotter:
    """Spots one keyword in frames. The caller owns the front end and the embeddings, which keywords share."""

    def __init__(self, model: Model, settings: Settings, embeddings: EmbeddingStream | None) -> None:
        """embeddings: of the audio that the frames are computed from, needed only for a second stage.

        Without them a model that has a second stage never triggers.
        """
        self.model = model
        self.settings = self._first_settings = settings
        self._engine = Engine(model, settings.window, settings.step)
        self._rule = TriggerRule(model, settings)
        self._second_stage: SecondStage | None = None
        if model.verifier and embeddings:
            self._second_stage = SecondStage(model.verifier, embeddings, settings)
        self.reset()

    @property
    def keyword(self) -> str:
        """The keyword of the model."""
        return self.model.keyword

    @property
    def first_stage_threshold(self) -> float:
        """Posterior at which the first stage makes a candidate or, if there is no second stage, a trigger."""
        return self.settings.candidate_threshold if self.model.verifier else self.settings.threshold

    @property
    def warm(self) -> bool:
        """Whether the attention has seen a whole window."""
        return self._engine.warm

    def change_threshold(self, threshold: float) -> None:
        """Use this threshold from the next step on. Raises UsageError if it is out of range.

        A threshold below the release lowers that, too, until the threshold is raised again.
        """
        self.settings = self._first_settings.override(threshold=threshold)
        self._rule.use(self.settings)

    def reset(self) -> None:
        """Return to the exact initial state."""
        self._rule.reset()
        if self._second_stage:
            self._second_stage.reset()
        self.forget()

    def forget(self) -> None:
        """Forget the frames and the candidate, but not when the last trigger was."""
        self._engine.reset()
        if self._second_stage:
            self._second_stage.sleep()
        self.posterior = 0.0  # of the first stage, at the last step

    def warm_up(self) -> None:
        """Fill the window with digital silence."""
        silence = np.full((1, N_MELS), np.log(np.float32(POWER_FLOOR)), np.float32)
        while not self._engine.warm:
            for posterior in self._engine.advance(silence.repeat(self._engine.due, axis=0)):
                self.posterior = float(posterior)

    def steps(self, frames: Frames, position: int) -> Iterator[Step]:
        """The steps that these frames complete.

        position: the end of the frame before them, in samples since the beginning of the stream.
        """
        for needed, posterior in self._engine.steps(frames):
            yield self._step(posterior, position + needed * HOP)

    def _step(self, posterior: float, position: int) -> Step:
        """The step with this posterior of the first stage. A trigger resets the engine."""
        self.posterior = posterior
        time, warm, verified = position / SAMPLE_RATE, self._engine.warm, None
        if self._second_stage:
            verified = self._second_stage.score(position, posterior, time, warm)
        step = Step(time, posterior, warm, None, verified, self.keyword)
        if not self._rule.push(step):
            pending = self._second_stage.pending if self._second_stage else self._rule.pending
            return step._replace(pending=True) if pending else step
        self._engine.reset()
        if self._second_stage:
            self._second_stage.fire(time)
        final = posterior if verified is None else verified
        return step._replace(trigger=Trigger(self.keyword, final, time))
