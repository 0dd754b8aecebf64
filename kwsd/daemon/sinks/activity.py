"""Remembers what happened last, for `kwsd ctl status`."""

import math
from collections import deque

import numpy as np

from kwsd.daemon.events import Event
from kwsd.daemon.sinks.sink import Sink
from kwsd.pcm import Samples

KEPT = 10  # triggers
SILENCE_POWER = 1e-12  # added to each power, so that digital silence has a level


def level(samples: Samples) -> float:
    """The mean power of samples, shape (n,), in dB relative to that of a full-scale square wave."""
    return float(10 * np.log10(samples @ samples / max(1, len(samples)) + SILENCE_POWER))


class RecentActivity(Sink):
    """Keeps the level and the posterior of the last chunk of audio, and the last triggers."""

    def __init__(self) -> None:
        self.level = -math.inf  # dBFS; minus infinity while there is no audio
        self.posterior = 0.0
        self.triggers: deque[Event] = deque(maxlen=KEPT)

    def on_audio(self, samples: Samples, posterior: float) -> None:
        """Measure the chunk."""
        self.level = level(samples) if len(samples) else -math.inf
        self.posterior = posterior

    def on_trigger(self, event: Event) -> None:
        """Keep the trigger, and drop the oldest one if there are too many."""
        self.triggers.append(event)
