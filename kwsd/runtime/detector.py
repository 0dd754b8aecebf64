"""The detector: samples in, triggers out. Front end, engine and debouncer in one stream."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR, SAMPLE_RATE, FrontEnd, Samples
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.trigger import Debouncer, Trigger
from kwsd.runtime.verifier import SPAN, Verifier

BLOCK = SAMPLE_RATE  # samples taken at a time, so that a long recording needs no more memory than a second
TAIL = SAMPLE_RATE // 2  # samples of silence to feed after a recording: its last word is decided in them
LOUDEST = 1e4  # full scale is 1; far above it, powers overflow float32
ASK_EVERY, ASK_FOR = 16 * HOP, 40 * HOP  # samples: a candidate is verified this often, for this long


class Step(NamedTuple):
    """One step of the detector."""

    time: float  # stream time, seconds
    posterior: float
    warm: bool  # the attention had seen a whole window
    trigger: Trigger | None
    verified: float | None = None  # the verifier's posterior, where it was asked


class Detector:
    """Hears a keyword in a stream of samples.

    What is None is taken from the model's own settings; see `Settings` for meanings and units. A release
    above a threshold given here is lowered with it. Raises UsageError for a value out of range.
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
        self._debouncer = debouncer(model, settings)
        self._verifier = Verifier(model.verifier) if model.verifier else None
        self.reset()

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

    @property
    def gate(self) -> float:
        """Posterior at or above which a step counts: the threshold's or, before a verifier, the gate's."""
        return gate(self.model, self.settings)

    def reset(self) -> None:
        """Return to the exact initial state: nothing heard, stream time 0."""
        self._front_end.reset()
        self._engine.reset()
        self._debouncer.reset()
        self._heard = N_FFT - HOP  # samples to the end of the last frame; the first ends at N_FFT
        self._forget()
        self.posterior = 0.0  # of the last step

    def gap(self, seconds: float) -> None:
        """Audio is missing here: forget what was heard, and let stream time pass. A refractory goes on."""
        self._front_end.reset()
        self._engine.reset()
        self._heard += round(seconds * SAMPLE_RATE) + N_FFT - HOP
        self._forget()
        self.posterior = 0.0

    def join(self, other: "Detector") -> None:
        """Begin anew where another detector of the same stream is, at its stream time."""
        self.reset()
        self._heard = other._heard + other._front_end.held

    def prime(self) -> None:
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
        for start in range(0, len(samples), BLOCK):
            cleaned = _clean(samples[start : start + BLOCK])
            frames = self._front_end.push(cleaned)
            if self._verifier:
                self._past.push(cleaned)
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
        fires, sure, verified = self._debouncer.push(posterior, time, warm), posterior, None
        if self._verifier:
            if fires:
                self._ask_at, self._ask_until = self._heard, self._heard + ASK_FOR
            fires = False
            if self._ask_at <= self._heard <= self._ask_until:
                later = ahead + self._front_end.held - (N_FFT - HOP)
                verified = sure = self._verifier.posterior(self._past.until(later))
                self._ask_at = self._heard + ASK_EVERY
                fires = verified >= self.settings.threshold
        if not fires:
            return Step(time, posterior, warm, None, verified)
        self._ask_until = 0
        self._engine.reset()
        return Step(time, posterior, warm, Trigger(self.keyword, sure, time), verified)

    def _forget(self) -> None:
        """No audio is left for the verifier, and no candidate."""
        self._past = Past(SPAN)
        self._ask_at, self._ask_until = 0, -1  # where in the stream, in samples


class Past:
    """The last samples of a stream, as chunks: they are joined only where they are asked for."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._chunks: deque[Samples] = deque()
        self._held = 0

    def push(self, samples: Samples) -> None:
        """Add samples; those beyond a BLOCK more than `length` may go."""
        self._chunks.append(samples.copy())
        self._held += len(samples)
        while self._held - len(self._chunks[0]) >= self.length + BLOCK:
            self._held -= len(self._chunks.popleft())

    def until(self, later: int) -> Samples:
        """The `length` samples before the last `later`; silence where there were none."""
        joined = np.concatenate((np.zeros(self.length, np.float32), *self._chunks))
        end = len(joined) - later
        return joined[end - self.length : end]


def gate(model: Model, settings: Settings) -> float:
    """Posterior at or above which a step counts towards a trigger or, before a verifier, a candidate."""
    return settings.gate if model.verifier else settings.threshold


def debouncer(model: Model, settings: Settings) -> Debouncer:
    """What makes triggers, or candidates, of the model's posteriors."""
    at = gate(model, settings)
    return Debouncer(at, settings.patience, min(at, settings.release), settings.refractory)


def _clean(samples: npt.NDArray[Any]) -> Samples:
    """The samples as float32, with those that would poison the state for good made harmless."""
    if samples.dtype == np.int16:
        return samples * np.float32(1 / 32768)
    with np.errstate(over="ignore"):
        if samples.dot(samples) < LOUDEST**2:  # false for NaN
            return samples
    cleaned: Samples = np.clip(np.nan_to_num(samples, nan=0, posinf=0, neginf=0), -LOUDEST, LOUDEST)
    return cleaned
