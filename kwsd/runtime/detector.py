"""Detects a keyword in a stream of audio: samples in, triggers out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE, finite, to_float32
from kwsd.runtime.audio_history import BLOCK_SAMPLES, AudioHistory
from kwsd.runtime.frontend import HOP, N_FFT, FrontEnd
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.spotter import Spotter, Step, Trigger
from kwsd.runtime.verifier import SPAN_SAMPLES

FINAL_SILENCE_SAMPLES = SAMPLE_RATE // 2  # 0.5 s, to feed after a recording, so that its last word is decided
OVERLAP_SAMPLES = N_FFT - HOP  # shared by two consecutive frames


class Detector:
    """Detects one keyword in a stream of samples.

    settings: how to run the model, by default as the model file says. `Settings.override` changes some of
    them.

    A copied or unpickled detector has the same model and settings, and starts a new stream.
    """

    def __init__(self, model: Model, settings: Settings | None = None) -> None:
        self.model = model
        self.settings = settings or model.settings
        self._front_end = FrontEnd()
        self._history = AudioHistory(SPAN_SAMPLES) if model.verifier else None
        self._spotter = Spotter(model, self.settings, self._history)
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.model, self.settings)

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> Self:
        """A detector with the model of a file, or with the shipped model of this name.

        overrides: fields of `Settings` that replace the model's own. Raises ModelError for a file that is not
        a model, and UsageError for a setting that is out of range.
        """
        from kwsd.runtime.modelfile import find_model, read_model

        model = read_model(find_model(str(path)))
        return cls(model, model.settings.override(**overrides))

    @property
    def keyword(self) -> str:
        """The keyword of the model."""
        return self.model.keyword

    @property
    def posterior(self) -> float:
        """Posterior of the first stage at the last step; 0 before the first step."""
        return self._spotter.posterior

    @property
    def first_stage_threshold(self) -> float:
        """Posterior at which the first stage makes a candidate or, if there is no second stage, a trigger."""
        settings = self.settings
        return settings.candidate_threshold if self.model.verifier else settings.threshold

    def reset(self) -> None:
        """Return to the exact initial state: nothing heard, stream time 0."""
        self._spotter.reset()
        self._forget_audio(0)

    def gap(self, seconds: float) -> None:
        """Continue after missing audio: forget the audio before it, and advance the stream time.

        The refractory time also holds across a gap.
        """
        self._spotter.forget()
        self._forget_audio(self._position + round(seconds * SAMPLE_RATE))

    def sync_to(self, other: "Detector") -> None:
        """Reset, and continue at the stream time of another detector of the same stream."""
        self._spotter.reset()
        self._forget_audio(other._position)

    def warm_up(self) -> None:
        """Reset, and fill the window with digital silence before time 0, so that a short clip can trigger."""
        self.reset()
        self._front_end.push(np.zeros(OVERLAP_SAMPLES, np.float32))
        self._spotter.warm_up()

    def _forget_audio(self, position: int) -> None:
        """Forget all samples; the next one is at this position."""
        self._position = position  # samples from the beginning of the stream, with those in gaps
        self._front_end.reset()
        if self._history:
            self._history.clear(position)

    def feed(self, samples: npt.NDArray[Any]) -> list[Trigger]:
        """The triggers in the next samples of the stream.

        samples: 16 kHz mono, shape (n,), float32 with full scale 1 or int16. Raises ValueError for any other
        shape or dtype.
        """
        return [step.trigger for step in self.steps(samples) if step.trigger]

    def steps(self, samples: npt.NDArray[Any]) -> Iterator[Step]:
        """The steps in the next samples, which have the format of `feed`.

        Steps are computed while the iterator is read: read it to its end before the next call.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype not in (np.float32, np.int16):
            raise ValueError(f"samples must be 1-D float32 or int16, not {samples.ndim}-D {samples.dtype}")
        return self._steps(samples)

    def _steps(self, samples: npt.NDArray[Any]) -> Iterator[Step]:
        for start in range(0, len(samples), BLOCK_SAMPLES):
            block = samples[start : start + BLOCK_SAMPLES]
            cleaned = to_float32(block) if block.dtype == np.int16 else finite(block)
            frames = self._front_end.push(cleaned)
            self._position += len(cleaned)
            if self._history:
                self._history.push(cleaned)
            last_frame = self._position - self._front_end.held + OVERLAP_SAMPLES  # where it ends
            yield from self._spotter.steps(frames, last_frame - len(frames) * HOP)
