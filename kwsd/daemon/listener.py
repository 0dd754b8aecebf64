"""The detection loop: audio from the source into the detector, triggers out, and word of its health."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from kwsd.audio.source import Source
from kwsd.daemon.events import Event
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.systemd.notify import Notifier
from kwsd.errors import one_line
from kwsd.pcm import Samples
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector, Step

KEEPS_UP = 1.0  # seconds of backlog below which the engine keeps up with the microphone
SETTLE = 1.0  # seconds from a loss of audio to a warning, which tells of all that is lost with it
WARN_EVERY = 5.0  # seconds between two warnings

log = logging.getLogger(__name__)


@dataclass
class Counters:
    """What a listener has counted since it began; moved by its thread alone."""

    samples: int = 0  # heard
    gaps: int = 0  # times that audio was missing: the microphone was away, or kwsd stopped
    triggers: int = 0
    worst_step: float = 0.0  # seconds that the slowest step of the detector took


class Listener:
    """Runs in the main thread until the source ends or `stop` is called.

    The sinks are called in this thread, in their order, with the audio before the triggers in it.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        notifier: Notifier,
        sinks: Sequence[Sink] = (),
    ) -> None:
        self.stopping = False
        self._ended = False  # `run` has
        self._announced = False
        self._ready = False
        self.counters = Counters()
        self._source = source
        self._detector = detector
        self._next: Detector | None = None  # hears along until it takes the detector's place
        self._notifier = notifier
        self._sinks = sinks
        self._fired = -math.inf  # stream time of the last trigger, seconds
        self._status = ""
        self._overruns = 0  # warned of
        self._warned = -math.inf  # when, on the monotonic clock
        self._warn_at = math.inf

    def stop(self) -> None:
        """End `run` soon. Safe in any thread."""
        self.stopping = True
        if not self._ended:
            self._source.stop()

    def change_to(self, detector: Detector) -> None:
        """Listen with another detector, from when it is warm. No audio is lost and no word heard twice."""
        detector.sync_to(self._detector)
        self._next = detector

    def run(self, between: Callable[[], None] = lambda: None) -> None:
        """Listen, and call `between` after each chunk. What the source or a sink raises ends it."""
        if not self._source.live:
            self._detector.warm_up()
        try:
            self._announce()
            for samples, gap in self._source:
                self._announce()
                if gap:
                    self._miss(gap)
                self._hear(samples)
                self._report_start(samples)
                self._report()
                between()
        finally:
            self._ended = True
        self._warn_of_losses()
        if not self._source.live and not self.stopping:
            self._hear(np.zeros(FINAL_SILENCE_SAMPLES, np.float32))

    def _announce(self) -> None:
        """Log, once, that it listens: not before there is something to listen to."""
        if not self._announced and not self._source.waiting:
            log.info("listening for %r on %s", self._detector.keyword, self._source.name)
            self._announced = True

    def _report_start(self, samples: Samples) -> None:
        """Tell systemd that it is ready once audio has come, and until then that it will be."""
        if len(samples) and not self._ready:
            self._notifier.send("READY=1")
            self._ready = True
        elif not self._ready:
            self._notifier.extend_start()

    def _hear(self, samples: Samples) -> None:
        self.counters.samples += len(samples)
        steps = self._steps(samples)
        posterior = max((step.posterior for step in steps), default=self._detector.posterior)
        for sink in self._sinks:
            sink.on_audio(samples, posterior)
        for trigger in (step.trigger for step in steps if step.trigger):
            self.counters.triggers += 1
            self._fired = trigger.stream_time
            # what is live was said a moment ago, before the rest of the chunk and what waits behind it
            age = steps[-1].time - trigger.stream_time + self._source.backlog if self._source.live else 0.0
            event = Event(
                trigger.keyword,
                trigger.posterior,
                trigger.stream_time,
                datetime.now().astimezone() - timedelta(seconds=age),
                self._detector.model.name,
            )
            for sink in self._sinks:
                sink.on_trigger(event)
        if self._next is not None:
            self._take_turns(self._next, list(self._next.steps(samples)))

    def _steps(self, samples: Samples) -> list[Step]:
        """The detector's steps, timed."""
        steps = []
        began = time.perf_counter()
        for step in self._detector.steps(samples):
            ended = time.perf_counter()
            self.counters.worst_step = max(self.counters.worst_step, ended - began)
            began = ended
            steps.append(step)
        return steps

    def _miss(self, seconds: float) -> None:
        """Audio is missing here."""
        self.counters.gaps += 1
        self._detector.gap(seconds)
        if self._next is not None:
            self._next.gap(seconds)
        for sink in self._sinks:
            sink.on_gap(seconds)

    def _take_turns(self, detector: Detector, steps: list[Step]) -> None:
        """Let a new detector take over once it is warm and hears no word, nor the rest of one."""
        last, settings = steps[-1] if steps else None, detector.settings
        if last and last.warm and last.posterior < settings.release:
            if last.time - self._fired < settings.refractory:
                return
            self._detector, self._next = detector, None
            log.info(
                "%s now listens for %r, threshold %g",
                detector.model.name,
                detector.keyword,
                settings.threshold,
            )

    def _report(self) -> None:
        """Feed the watchdog while the engine keeps up, or waits for audio; tell of triggers and losses."""
        source, now = self._source, time.monotonic()
        if source.backlog < KEEPS_UP:
            self._notifier.feed_watchdog()
        heard = f"{source.name}: {self.counters.triggers} triggers, {source.overruns} overruns"
        status = source.waiting or heard
        if status != self._status:
            self._notifier.send(f"STATUS={one_line(status)}")
            self._status = status
        if source.overruns != self._overruns and self._warn_at == math.inf:
            self._warn_at = max(now + SETTLE, self._warned + WARN_EVERY)
        if now >= self._warn_at:
            self._warn_of_losses()

    def _warn_of_losses(self) -> None:
        source = self._source
        if source.overruns != self._overruns:
            log.warning(
                "audio is lost: %d overruns so far, %.1f s known to be dropped",
                source.overruns,
                source.dropped,
            )
        self._overruns, self._warned, self._warn_at = source.overruns, time.monotonic(), math.inf
