"""What a model takes for its word: the words and phrases of a vocabulary at which it triggers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kwsd.pcm import SAMPLE_RATE, to_float32
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.training.synthesis.vocabulary import SpokenText

PAUSE_SECONDS = 0.8  # after each text, in which the second stage hears its end
NOISE = 3e-4  # standard deviation, of full scale


@dataclass(frozen=True)
class FalseAlarm:
    """A text at which the model triggered, the voice that said it, and the highest posterior."""

    text: str
    voice: str
    posterior: float


def false_alarms(model: Model, texts: Iterable[SpokenText]) -> Iterator[FalseAlarm]:
    """The texts at which the model triggers at its own settings, one after another in soft noise."""
    detector, random = Detector(model, model.settings), np.random.default_rng(0)
    detector.warm_up()
    pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32)
    for text in texts:
        audio = np.concatenate((to_float32(text.audio), pause))
        audio += random.normal(0, NOISE, len(audio)).astype(np.float32)
        if triggers := detector.feed(audio):
            yield FalseAlarm(text.text, text.voice, max(trigger.posterior for trigger in triggers))
