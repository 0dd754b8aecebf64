"""The detection loop: passes audio to the detector and triggers to the sinks, and reports its state."""

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from kwsd.audio.source import Source
from kwsd.daemon.events import Event
from kwsd.daemon.near_misses import NearMiss, NearMisses
from kwsd.daemon.pause import Pause
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.systemd.notify import Notifier
from kwsd.errors import one_line
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.spotter import Spotter, Step, Trigger

MAX_BACKLOG = 1.0  # seconds of unprocessed audio above which systemd's watchdog is no longer fed
LOSS_DELAY = 1.0  # seconds from a loss of audio to its warning, which covers the losses until then
LOSS_INTERVAL = 5.0  # seconds between two such warnings

log = logging.getLogger(__name__)


@dataclass
class Counters:
    """Totals since the start. Only the thread of the listener changes them."""

    samples: int = 0  # processed
    gaps: int = 0  # how often audio was missing, because the microphone was lost or kwsd was stopped
    triggers: int = 0
    worst_step: float = 0.0  # seconds that the slowest step of the detector took


class Listener:
    """Runs in the main thread until the source ends or `stop` is called.

    It calls the sinks in this thread, one after the other: first with a chunk of audio, then with each
    trigger that it led to. With several words a trigger may belong to audio up to 0.4 s before the chunk.
    """

    def __init__(
        self,
        source: Source,
        detector: Detector,
        notifier: Notifier,
        sinks: Sequence[Sink] = (),
        pause: Pause | None = None,
    ) -> None:
        """pause: while it is active, audio is read but treated as missing."""
        self.stopping = False
        self.counters = Counters()
        self._source = source
        self._detector = detector
        self._next_detector: Detector | None = None  # warms up until it replaces the detector
        self._notifier = notifier
        self._sinks = sinks
        self._pause = pause or Pause()
        self._near_misses = NearMisses()
        self._finished = False  # whether `run` has left the loop
        self._announced = False  # whether the log says that kwsd listens
        self._ready = False  # whether systemd knows that the service is ready
        self._last_trigger = -math.inf  # stream time, seconds
        self._status = ""
        self._reported_overruns = 0
        self._last_loss_warning = -math.inf  # on the monotonic clock, as is the next
        self._next_loss_warning = math.inf

    def stop(self) -> None:
        """Make `run` return soon. May be called from any thread or signal handler."""
        self.stopping = True
        if not self._finished:
            self._source.stop()

    def swap_detector(self, detector: Detector) -> None:
        """Replace the detector once the new one is warm.

        The old one detects until then. The new one does not take over during a keyword or just after a
        trigger, so no keyword is missed or detected twice.
        """
        detector.sync_to(self._detector)
        self._next_detector = detector

    @property
    def spotters(self) -> list[Spotter]:
        """The spotter of each word that is detected now."""
        return self._detector.spotters

    def change_threshold(self, keyword: str, threshold: float) -> bool:
        """Use this threshold for a word from now on. Returns whether there is such a word.

        A detector that is still warming up gets it, too. Raises UsageError if it is out of range.
        """
        detectors = filter(None, (self._detector, self._next_detector))
        spotters = [one for each in detectors for one in each.spotters if one.keyword == keyword]
        for spotter in spotters:
            spotter.change_threshold(threshold)
        return bool(spotters)

    def trigger(self, keyword: str) -> None:
        """Make a trigger of this word now, with posterior 1, as if it had been said."""
        now = self._detector.stream_time
        self._report_trigger(Trigger(keyword, 1.0, now), end=now)

    def run(self, between: Callable[[], None] = lambda: None) -> None:
        """Listen, and call `between` after each chunk. Errors of the source or a sink are not caught."""
        if not self._source.live:
            self._detector.warm_up()
        try:
            self._announce()
            for samples, gap in self._source:
                self._announce()
                if gap:
                    self.counters.gaps += 1
                    self._process_gap(gap)
                self._process(self._unless_paused(samples))
                self._report_start(samples)
                self._report()
                between()
        finally:
            self._finished = True
        self._warn_of_losses()
        if not self._source.live and not self.stopping:
            self._process(np.zeros(FINAL_SILENCE_SAMPLES, np.float32))
            end = self._detector.stream_time
            self._report_near_miss(self._near_misses.finish(), end, end)
            for sink in self._sinks:
                sink.on_end()

    def _announce(self) -> None:
        """Log once that kwsd listens, as soon as the source is open."""
        if not self._announced and not self._source.waiting:
            words = " and ".join(map(repr, self._detector.keywords))
            log.info("listening for %s on %s", words, self._source.name)
            self._announced = True

    def _report_start(self, samples: Samples) -> None:
        """Tell systemd that the service is ready once there is audio; ask for more time until then."""
        if len(samples) and not self._ready:
            self._notifier.send("READY=1")
            self._ready = True
        elif not self._ready:
            self._notifier.extend_start()

    def _process(self, samples: Samples) -> None:
        """Run the detector on a chunk and call the sinks."""
        self.counters.samples += len(samples)
        steps = self._timed_steps(samples)
        posterior = max((step.posterior for step in steps), default=self._detector.posterior)
        for sink in self._sinks:
            sink.on_audio(samples, posterior)
        for step in steps:
            if step.trigger:
                self._report_trigger(step.trigger, end=steps[-1].time)
            self._look_for_near_miss(step, end=steps[-1].time)
        if self._next_detector is not None:
            self._swap_if_warm(self._next_detector, list(self._next_detector.steps(samples)))

    def _report_trigger(self, trigger: Trigger, end: float) -> None:
        """Pass a trigger on to the sinks. end: stream time (seconds) at the end of the last chunk."""
        self.counters.triggers += 1
        self._last_trigger = trigger.stream_time
        event = self._event(trigger, end)
        for sink in self._sinks:
            sink.on_trigger(event)

    def _look_for_near_miss(self, step: Step, end: float) -> None:
        """Report the near miss that this step makes certain, if any. end: as in `_report_trigger`."""
        spotter = next(one for one in self._detector.spotters if one.keyword == step.keyword)
        score = step.verified if spotter.model.verifier else step.posterior if step.warm else None
        near = self._near_misses.push(step, score, spotter.settings.threshold)
        self._report_near_miss(near, step.time, end)

    def _report_near_miss(self, near: NearMiss | None, now: float, end: float) -> None:
        """Pass a near miss on to the sinks. now: the stream time at which it was certain."""
        if near is None:
            return
        event = self._event(Trigger(near.keyword, near.score, now), end)
        for sink in self._sinks:
            sink.on_near_miss(event)

    def _event(self, trigger: Trigger, end: float) -> Event:
        """The event of a trigger. end: as in `_report_trigger`."""
        # seconds since the keyword was said: the audio since then is either processed or waits to be read
        age = 0.0
        if self._source.live:
            age = end - trigger.stream_time + self._source.backlog
        return Event(
            keyword=trigger.keyword,
            posterior=trigger.posterior,
            stream_time=trigger.stream_time,
            time=datetime.now().astimezone() - timedelta(seconds=age),
            model=next(one.model.name for one in self._detector.spotters if one.keyword == trigger.keyword),
        )

    def _timed_steps(self, samples: Samples) -> list[Step]:
        """The steps of the detector on these samples. Updates `worst_step`."""
        steps = []
        started = time.perf_counter()
        for step in self._detector.steps(samples):
            ended = time.perf_counter()
            self.counters.worst_step = max(self.counters.worst_step, ended - started)
            started = ended
            steps.append(step)
        return steps

    def _unless_paused(self, samples: Samples) -> Samples:
        """The samples, or none of them while listening is paused, which is a gap of their length."""
        if not self._pause.active:
            return samples
        self._process_gap(len(samples) / SAMPLE_RATE)
        return samples[:0]

    def _process_gap(self, seconds: float) -> None:
        """Tell the detectors and the sinks that audio is missing. A trigger that waited passes."""
        for trigger in self._detector.gap(seconds):
            self._report_trigger(trigger, end=trigger.stream_time + seconds)
        if self._next_detector is not None:
            self._next_detector.gap(seconds)
        self._near_misses.reset()
        for sink in self._sinks:
            sink.on_gap(seconds)

    def _swap_if_warm(self, detector: Detector, steps: list[Step]) -> None:
        """Swap in the new detector, unless it is not warm yet or is in the middle of a keyword."""
        if not steps:
            return
        now = steps[-1].time
        for spotter in detector.spotters:
            in_refractory = now - self._last_trigger < spotter.settings.refractory
            if not spotter.warm or spotter.posterior >= spotter.settings.release or in_refractory:
                return
        for trigger in self._detector.gap(0):  # no audio is missing: this lets a waiting trigger pass
            self._report_trigger(trigger, end=now)
        removed = [keyword for keyword in self._detector.keywords if keyword not in detector.keywords]
        self._detector, self._next_detector = detector, None
        self._near_misses.reset()  # a word may have been removed
        for spotter in detector.spotters:
            threshold = spotter.settings.threshold
            log.info("%s now listens for %r, threshold %g", spotter.model.name, spotter.keyword, threshold)
        if removed:
            log.info("no longer listening for %s", " and ".join(map(repr, removed)))

    def _report(self) -> None:
        """Feed the watchdog unless the detector falls behind; report triggers and losses of audio."""
        source, now = self._source, time.monotonic()
        if source.backlog < MAX_BACKLOG:
            self._notifier.feed_watchdog()
        totals = f"{source.name}: {self.counters.triggers} triggers, {source.overruns} overruns"
        status = source.waiting or ("paused" if self._pause.active else totals)
        if status != self._status:
            self._notifier.send(f"STATUS={one_line(status)}")
            self._status = status
        if source.overruns != self._reported_overruns and self._next_loss_warning == math.inf:
            self._next_loss_warning = max(now + LOSS_DELAY, self._last_loss_warning + LOSS_INTERVAL)
        if now >= self._next_loss_warning:
            self._warn_of_losses()

    def _warn_of_losses(self) -> None:
        """Log audio that was lost since the last warning, if any."""
        source = self._source
        if source.overruns != self._reported_overruns:
            log.warning(
                "audio was lost: %d overruns so far, at least %.1f s dropped", source.overruns, source.dropped
            )
        self._reported_overruns = source.overruns
        self._last_loss_warning, self._next_loss_warning = time.monotonic(), math.inf
