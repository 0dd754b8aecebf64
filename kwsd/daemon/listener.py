"""The detection loop: audio from the source into the detector, triggers out, and word of its health."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

import numpy as np

from kwsd.audio.source import Source
from kwsd.daemon.events import Event
from kwsd.daemon.notify import Notifier
from kwsd.runtime.detector import Detector
from kwsd.runtime.frontend import SAMPLE_RATE, Samples

TAIL = 0.5  # seconds of silence after the end of a recording, in which its last word is decided
KEEPS_UP = 1.0  # seconds of backlog below which the engine keeps up with the microphone
WARN_EVERY = 5.0  # seconds between two warnings of lost audio

log = logging.getLogger(__name__)

OnAudio = Callable[[Samples, float], None]  # takes a chunk and the highest posterior in it
OnTrigger = Callable[[Event], None]
OnGap = Callable[[float], None]  # takes the seconds of audio that are missing before the next chunk


class Listener:
    """Runs in the main thread until the source ends or `stop` is called.

    The handlers are called in this thread, the audio before the triggers in it: they must return at once.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        model: str,
        notifier: Notifier,
        on_audio: Sequence[OnAudio] = (),
        on_trigger: Sequence[OnTrigger] = (),
        on_gap: Sequence[OnGap] = (),
    ) -> None:
        self.stopping = False
        self._source = source
        self._detector = detector
        self._model = model
        self._notifier = notifier
        self._on_audio = on_audio
        self._on_trigger = on_trigger
        self._on_gap = (detector.gap, *on_gap)
        self._triggers = 0
        self._status = ""
        self._overruns = 0  # warned of
        self._warned = -WARN_EVERY  # when, on the monotonic clock

    def stop(self) -> None:
        """End `run` soon. Safe in a signal handler."""
        self.stopping = True
        self._source.stop()

    def run(self) -> None:
        """Listen. What the source or a handler raises ends it."""
        if not self._source.live:
            self._detector.prime()
        ready = False
        for samples in self._source:
            if self._source.gap:
                for on_gap in self._on_gap:
                    on_gap(self._source.gap)
            self._hear(samples)
            if len(samples) and not ready:
                self._notifier.send("READY=1")
                ready = True
            elif not ready:
                self._notifier.extend_start()
            self._report()
        if not self._source.live and not self.stopping:
            self._hear(np.zeros(round(TAIL * SAMPLE_RATE), np.float32))

    def _hear(self, samples: Samples) -> None:
        steps = list(self._detector.steps(samples))
        posterior = max((step.posterior for step in steps), default=self._detector.posterior)
        for on_audio in self._on_audio:
            on_audio(samples, posterior)
        for trigger in (step.trigger for step in steps if step.trigger):
            self._triggers += 1
            event = Event(
                trigger.keyword,
                trigger.posterior,
                trigger.stream_time,
                datetime.now().astimezone(),
                self._model,
            )
            for on_trigger in self._on_trigger:
                on_trigger(event)

    def _report(self) -> None:
        """Feed the watchdog while the engine keeps up, or waits for audio; tell of triggers and losses."""
        source = self._source
        if source.backlog < KEEPS_UP:
            self._notifier.feed_watchdog()
        status = f"{source.name}: {self._triggers} triggers, {source.overruns} overruns"
        if source.waiting:
            status = f"waiting for microphone {source.name}"
        if status != self._status:
            self._notifier.send(f"STATUS={status}")
            self._status = status
        if source.overruns != self._overruns and time.monotonic() - self._warned >= WARN_EVERY:
            log.warning(
                "audio is lost: %d overruns so far, %.1f s known to be dropped",
                source.overruns,
                source.dropped,
            )
            self._overruns, self._warned = source.overruns, time.monotonic()


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM call `stop` and do nothing else."""
    previous = {
        number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
