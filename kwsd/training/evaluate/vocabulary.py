"""What a model takes for its word: the words and phrases of a vocabulary at which it triggers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kwsd.pcm import SAMPLE_RATE, to_float32
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Array, Model
from kwsd.training.synthesis.vocabulary import SpokenText

PAUSE_SECONDS = 0.8  # after each text, in which the second stage hears its end
NOISE = 3e-4  # standard deviation, of full scale


@dataclass(frozen=True)
class FalseAlarm:
    """A text at which the model triggered, the voice that said it, and the highest posterior.

    audio: what the model heard, with the pause after it, float32 (n,).
    """

    text: str
    voice: str
    posterior: float
    audio: Array


def false_alarms(
    model: Model, texts: Iterable[SpokenText], threshold: float | None = None
) -> Iterator[FalseAlarm]:
    """The texts at which the model triggers, one after another in soft noise.

    threshold: instead of the model's own. Its other settings are used.
    """
    settings = model.settings if threshold is None else model.settings.override(threshold=threshold)
    detector, random = Detector(model, settings), np.random.default_rng(0)
    detector.warm_up()
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32)
    for text in texts:
        audio = np.concatenate((to_float32(text.audio), pause))
        audio += random.normal(0, NOISE, len(audio)).astype(np.float32)
        if triggers := detector.feed(audio):
            yield FalseAlarm(text.text, text.voice, max(trigger.posterior for trigger in triggers), audio)
