"""Detects keywords in a stream of audio: samples in, triggers out."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, finite, to_float32
from kwsd.runtime.arbitration import Arbiter
from kwsd.runtime.audio_history import MAX_PUSH_SAMPLES, AudioHistory
from kwsd.runtime.embedding import EmbeddingStream
from kwsd.runtime.frontend import HOP, N_FFT, FrontEnd
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.second_stage import SPAN_SAMPLES
from kwsd.runtime.spotter import Spotter, Step, Trigger

FINAL_SILENCE_SAMPLES = SAMPLE_RATE // 2  # 0.5 s to feed after a recording, so that its last word can trigger
OVERLAP_SAMPLES = N_FFT - HOP  # shared by two consecutive frames


class Detector:
    """Detects one or several keywords in a stream of samples.

    model: one, or several with different keywords. settings: how each of them is run, in the same order;
    None runs each with its model's own settings. `Settings.override` changes some of them.

    The keywords share the front end, the audio history and, where their arrays are equal, the embeddings.
    Each has a spotter of its own, which does what it would do alone. Where several keywords fire on one
    utterance, the `Arbiter` lets one trigger pass.

    A copied or unpickled detector has the same models and settings, and starts a new stream.
    """

    def __init__(
        self, model: Model | Sequence[Model], settings: Settings | Sequence[Settings] | None = None
    ) -> None:
        """Raises UsageError if two models have the same keyword: a trigger could not tell which was heard."""
        models = [model] if isinstance(model, Model) else list(model)
        given = [settings] if isinstance(settings, Settings) else settings or [one.settings for one in models]
        check_different(models)
        self._front_end = FrontEnd()
        self._history = AudioHistory(SPAN_SAMPLES) if any(one.verifier for one in models) else None
        self._embeddings: list[EmbeddingStream] = []
        self.spotters = [
            Spotter(one, its_settings, self._embeddings_of(one))
            for one, its_settings in zip(models, given, strict=True)
        ]
        self._arbiter = Arbiter()
        self.reset()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ([one.model for one in self.spotters], [one.settings for one in self.spotters])

    @classmethod
    def load(cls, words: str | Path | Sequence[str | Path], **overrides: Any) -> Self:
        """A detector with the models of these files, or with the shipped models of these names.

        words: one, or a sequence. overrides: fields of `Settings` that replace each model's own. Raises
        ModelError for a file that is not a model, and UsageError for a setting that is out of range or if two
        models have the same keyword.
        """
        from kwsd.runtime.modelfile import read_models

        names = [words] if isinstance(words, str | Path) else words
        models = read_models([str(name) for name in names])
        return cls(models, [model.settings.override(**overrides) for model in models])

    @property
    def keywords(self) -> list[str]:
        """The keyword of each model."""
        return [spotter.keyword for spotter in self.spotters]

    @property
    def keyword(self) -> str:
        """The keyword of the only model. Raises ValueError if there are several."""
        return self._only.keyword

    @property
    def settings(self) -> Settings:
        """The settings of the only model. Raises ValueError if there are several."""
        return self._only.settings

    @property
    def _only(self) -> Spotter:
        """The spotter of the only model. Raises ValueError if there are several."""
        (spotter,) = self.spotters
        return spotter

    @property
    def posterior(self) -> float:
        """The highest posterior of the first stages, each at its last step; 0 before the first step."""
        return max(spotter.posterior for spotter in self.spotters)

    @property
    def stream_time(self) -> float:
        """Seconds from the beginning of the stream to the end of the samples so far, with those in gaps."""
        return self._position / SAMPLE_RATE

    def reset(self) -> None:
        """Return to the exact initial state: nothing heard, stream time 0."""
        self._begin(0)

    def gap(self, seconds: float) -> list[Trigger]:
        """Continue after missing audio: forget the audio before it, and advance the stream time.

        The refractory times also hold across a gap. Returns the trigger that still waited for the decision
        on another keyword, if there is one.
        """
        for spotter in self.spotters:
            spotter.forget()
        self._forget_audio(self._position + round(seconds * SAMPLE_RATE))
        return self._arbiter.forget()

    def sync_to(self, other: "Detector") -> None:
        """Reset, and continue at the stream time of another detector. What it has heard is not copied."""
        self._begin(other._position)

    def warm_up(self) -> None:
        """Reset, and fill the windows with silence before time 0, so that a short clip can trigger."""
        self.reset()
        self._front_end.push(np.zeros(OVERLAP_SAMPLES, np.float32))
        for spotter in self.spotters:
            spotter.warm_up()

    def _begin(self, position: int) -> None:
        """Begin with nothing heard; the next sample is at this position."""
        for spotter in self.spotters:
            spotter.reset()
        self._arbiter.reset()
        self._forget_audio(position)

    def _forget_audio(self, position: int) -> None:
        """Forget all samples; the next one is at this position."""
        self._position = position  # samples from the beginning of the stream, with those in gaps
        self._front_end.reset()
        if self._history:
            self._history.clear(position)
        for embeddings in self._embeddings:
            embeddings.reset()

    def _embeddings_of(self, model: Model) -> EmbeddingStream | None:
        """The embeddings for this model, which models with equal arrays share; None without a verifier."""
        if not model.verifier or not self._history:
            return None
        for known in self._embeddings:
            if known.equals(model.verifier):
                return known
        self._embeddings.append(EmbeddingStream(model.verifier, self._history))
        return self._embeddings[-1]

    def feed(self, samples: npt.NDArray[Any]) -> list[Trigger]:
        """The triggers in the next samples of the stream.

        samples: 16 kHz mono, shape (n,), float32 with full scale 1 or int16. Raises ValueError for any other
        shape or dtype.
        """
        return [step.trigger for step in self.steps(samples) if step.trigger]

    def steps(self, samples: npt.NDArray[Any]) -> Iterator[Step]:
        """The steps of every keyword in the next samples, as `feed` takes them, by their time.

        Steps are computed while the iterator is read: read it to its end before the next call.
        """
        samples = np.asarray(samples)
        if samples.ndim != 1 or samples.dtype not in (np.float32, np.int16):
            raise ValueError(f"samples must be 1-D float32 or int16, not {samples.ndim}-D {samples.dtype}")
        return self._steps(samples)

    def _steps(self, samples: npt.NDArray[Any]) -> Iterator[Step]:
        for start in range(0, len(samples), MAX_PUSH_SAMPLES):
            block = samples[start : start + MAX_PUSH_SAMPLES]
            cleaned = to_float32(block) if block.dtype == np.int16 else finite(block)
            frames = self._front_end.push(cleaned)
            self._position += len(cleaned)
            if self._history:
                self._history.push(cleaned)
            # the held samples begin where the next frame will, and the last frame overlaps that one
            last_frame = self._position - self._front_end.held + OVERLAP_SAMPLES  # the end of the last frame
            before = last_frame - len(frames) * HOP
            streams = [spotter.steps(frames, before) for spotter in self.spotters]
            yield from streams[0] if len(streams) == 1 else self._arbiter.steps(streams)


def check_different(models: Sequence[Model]) -> None:
    """Raise UsageError if there are no models, or if two of them have the same keyword."""
    first: dict[str, Model] = {}
    for model in models:
        if model.keyword in first:
            names = " and ".join(sorted({first[model.keyword].name, model.name}))
            raise UsageError(f"the word {model.keyword!r} is given twice, by {names}: leave one out")
        first[model.keyword] = model
    if not models:
        raise UsageError("no word is given")
