"""The detector: samples in, triggers out. Front end, engine and debouncer in one stream."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE, finite, to_float32
from kwsd.runtime.debouncer import Debouncer, Trigger
from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR, FrontEnd
from kwsd.runtime.model import Model
from kwsd.runtime.second_stage import BLOCK_SAMPLES, SecondStage
from kwsd.runtime.verifier import Verifier

FINAL_SILENCE_SAMPLES = (
    SAMPLE_RATE // 2
)  # samples of silence to feed after a recording: its last word is decided in them


class Step(NamedTuple):
    """One step of the detector."""

    time: float  # stream time, seconds
    posterior: float
    warm: bool  # the attention had seen a whole window
    trigger: Trigger | None
    verified: float | None = None  # the posterior of both stages, where the verifier was asked


class Detector:
    """Hears a keyword in a stream of samples.

    What is None is taken from the model's own settings; see `Settings` for meanings and units. A release
    above a threshold given here is lowered with it. Raises UsageError for a value out of range.

    A copy, and what is unpickled, is a new detector with the same model and settings that has heard nothing.
    """

    def __init__(
        self,
        model: Model,
        window: int | None = None,
        step: int | None = None,
        threshold: float | None = None,
        patience: int | None = None,
        release: float | None = None,
        refractory: float | None = None,
        gate: float | None = None,
    ) -> None:
        given = {
            "window": window,
            "step": step,
            "threshold": threshold,
            "patience": patience,
            "release": release,
            "refractory": refractory,
            "gate": gate,
        }
        if threshold is not None and release is None:
            given["release"] = min(threshold, model.settings.release)
        settings = replace(model.settings, **{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
        self.model = model
        self.settings = settings
        self._front_end = FrontEnd()
        self._engine = Engine(model, settings.window, settings.step)
        self.gate, releases = settings.threshold, {settings.threshold: settings.release}
        if model.verifier:
            # what fires is a candidate: at the gate, where no noise holds the posterior, or far above it
            self.gate = settings.gate
            releases = {level: level / 2 for level in (self.gate, (1 + self.gate) / 2)}
        self._debouncers = [
            Debouncer(level, settings.patience, release, settings.refractory)
            for level, release in releases.items()
        ]
        self._second_stage = SecondStage(Verifier(model.verifier)) if model.verifier else None
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as a new detector of the same model and settings that has heard nothing."""
        return partial(type(self), **asdict(self.settings)), (self.model,)

    @classmethod
    def load(cls, path: str | Path, **settings: Any) -> Self:
        """Make a detector of a model file, or of a shipped model by its name. Raises ModelError."""
        from kwsd.runtime.modelfile import find_model, read_model

        return cls(read_model(find_model(str(path))), **settings)

    @property
    def keyword(self) -> str:
        """The word it listens for."""
        return self.model.keyword

    @property
    def window(self) -> int:
        """Steps the attention sees."""
        return self.settings.window

    @property
    def step(self) -> int:
        """Frames (10 ms) between two steps."""
        return self.settings.step

    def reset(self) -> None:
        """Return to the exact initial state: nothing heard, stream time 0."""
        self._front_end.reset()
        self._engine.reset()
        for debouncer in self._debouncers:
            debouncer.reset()
        self._heard = N_FFT - HOP  # samples to the end of the last frame; the first ends at N_FFT
        if self._second_stage:
            self._second_stage.forget()
        self.posterior = 0.0  # of the last step

    def gap(self, seconds: float) -> None:
        """Audio is missing here: forget what was heard, and let stream time pass. A refractory goes on."""
        self._front_end.reset()
        self._engine.reset()
        self._heard += round(seconds * SAMPLE_RATE) + N_FFT - HOP
        if self._second_stage:
            self._second_stage.forget()
        self.posterior = 0.0

    def sync_to(self, other: "Detector") -> None:
        """Begin anew where another detector of the same stream is, at its stream time."""
        self.reset()
        self._heard = other._heard + other._front_end.held

    def warm_up(self) -> None:
        """Reset, and warm the window with digital silence before time 0: a short clip can then trigger."""
        self.reset()
        self._front_end.push(np.zeros(N_FFT - HOP, np.float32))
        self._heard = 0
        silence = np.full((1, N_MELS), np.log(np.float32(POWER_FLOOR)), np.float32)
        while not self._engine.warm:
            for posterior in self._engine.advance(silence.repeat(self._engine.due, axis=0)):
                self.posterior = float(posterior)

    def feed(self, samples: npt.NDArray[Any]) -> list[Trigger]:
        """Take samples, 16 kHz mono, shape (n,), float32 with full scale 1 or int16; give their triggers.

        Raises ValueError for any other dtype or shape.
        """
        return [step.trigger for step in self.steps(samples) if step.trigger]

    def steps(self, samples: npt.NDArray[Any]) -> Iterator[Step]:
        """As `feed`, but give every step as it is made; the samples are taken as the iterator is consumed."""
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype not in (np.float32, np.int16):
            raise ValueError(f"samples must be 1-D float32 or int16, not {samples.ndim}-D {samples.dtype}")
        return self._steps(samples)

    def _steps(self, samples: npt.NDArray[Any]) -> Iterator[Step]:
        engine = self._engine
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[start : start + BLOCK_SAMPLES]
            cleaned = to_float32(block) if block.dtype == np.int16 else finite(block)
            frames = self._front_end.push(cleaned)
            if self._second_stage:
                self._second_stage.hear(cleaned)
            while len(frames):
                taken, frames = frames[: engine.due], frames[engine.due :]
                posterior = engine.take(taken)
                self._heard += len(taken) * HOP
                if posterior is not None:
                    yield self._decide(posterior, self._heard / SAMPLE_RATE, len(frames) * HOP)

    def _decide(self, posterior: float, time: float, ahead: int) -> Step:
        """The step of this posterior; a trigger resets the engine. ahead: samples in frames still to come."""
        self.posterior = posterior
        warm = self._engine.warm
        fires = True in [each.push(posterior, time, warm) for each in self._debouncers]
        sure, verified = posterior, None
        if self._second_stage:
            if fires:
                self._second_stage.begin(self._heard)
            later = ahead + self._front_end.held - (N_FFT - HOP)
            verified = self._second_stage.score(self._heard, later, posterior)
            fires = verified is not None and verified >= self.settings.threshold
            sure = verified or 0.0
        if not fires:
            return Step(time, posterior, warm, None, verified)
        self._engine.reset()
        for debouncer in self._debouncers:
            debouncer.fire(time)
        if self._second_stage:
            self._second_stage.end()
        return Step(time, posterior, warm, Trigger(self.keyword, sure, time), verified)
