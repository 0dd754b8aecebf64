"""A microphone that comes back: opened again, by its name, whenever it or the sound server is gone."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np

from kwsd.audio.lag import Pace
from kwsd.audio.microphone import LATENCY, Microphone, opener
from kwsd.audio.source import Chunk
from kwsd.errors import AbsentError, AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples

SHORTEST = 0.5  # seconds between the first two attempts to open; each pause is twice the last
TICK = 0.25  # seconds after which one who waits looks around
UNANSWERED = 5.0  # seconds after which an attempt to open that has no result is reported
MUTED = 60.0  # seconds of digital silence after which it is told of

NOTHING = Chunk(np.zeros(0, np.float32))

log = logging.getLogger(__name__)


class Supervisor:
    """A source that outlives its microphone. While there is none it gives empty chunks, a few a second."""

    live = True

    def __init__(
        self,
        device: str | None = None,
        exit_on_loss: bool = False,
        patient: bool = False,
        channel: int | None = None,
        latency: float = LATENCY,
    ) -> None:
        """Open the microphone, chosen as `opener` does it, or, where there is none yet, wait for one.

        `exit_on_loss`: raise AudioError where it would wait. `patient`: wait for a name that none has, too.
        Raises UsageError, AudioError where PortAudio is not installed.
        """
        self._opener = opener(device, channel, latency)
        self._wait = not exit_on_loss
        self._microphone: Microphone | None = None
        self._attempt: Attempt | None = None  # to open it, not yet finished
        self._last: float | None = None  # when audio last came, on the monotonic clock
        self._reasons: set[str] = set()  # logged since then, why there is none
        self._past_overruns, self._past_dropped = 0, 0.0  # of microphones closed, and for coming late
        self._stopped = False
        self._muted = ""  # as the microphone says
        self._mute = 0  # samples of digital silence on end
        try:
            self._attempt = Attempt(self._opener.open)
            if self._attempt.wait(UNANSWERED):
                self._take(self._attempt)
            else:
                raise AudioError(self._unanswered)
        except AudioError as error:
            if exit_on_loss:
                raise
            self._explain(error)
        except UsageError as error:
            if exit_on_loss or not patient:
                raise
            self._explain(error)

    @property
    def name(self) -> str:
        return self._opener.name

    @property
    def waiting(self) -> str:
        return self._microphone.waiting if self._microphone else f"waiting for microphone {self.name}"

    @property
    def overruns(self) -> int:
        return self._past_overruns + (self._microphone.overruns if self._microphone else 0)

    @property
    def dropped(self) -> float:
        return self._past_dropped + (self._microphone.dropped if self._microphone else 0.0)

    @property
    def backlog(self) -> float:
        return self._microphone.backlog if self._microphone else 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._microphone:
            self._microphone.stop()
            self._microphone.close()
        elif self._attempt:
            self._opener.abandon()

    def __iter__(self) -> Iterator[Chunk]:
        """Raises AudioError where the microphone is gone, told to exit on loss, and where PortAudio hangs."""
        while not self._stopped:
            if self._microphone is None:
                yield from self._reopen()
                continue
            try:
                yield from self._hear(self._microphone)
                if not self._stopped:  # another one takes its place
                    self._close()
                    self._attempt = Attempt(self._opener.open)
            except AudioError as error:
                if not self._wait:
                    raise
                self._explain(error)
                self._close()

    def stop(self) -> None:
        self._stopped = True
        if microphone := self._microphone:
            microphone.stop()

    def _hear(self, microphone: Microphone) -> Iterator[Chunk]:
        """What it gives, without what comes late; ends with it."""
        pace, late, overruns = Pace(), 0, microphone.overruns
        missed = self._last is not None  # as this one was opened after another was lost
        for samples in microphone:
            gap = 0.0
            if microphone.waiting:
                self._explain(microphone.waiting)
                missed = True
            if len(samples) and pace.late(len(samples) / SAMPLE_RATE):
                late += len(samples)
                yield NOTHING
                continue
            if len(samples):
                now = time.monotonic()
                if self._last is not None and (missed or late):
                    gap = now - self._last
                if self._reasons:
                    self._greet(gap)
                if late and not missed:
                    self._past_overruns += microphone.overruns == overruns  # else it is counted there
                    self._past_dropped += late / SAMPLE_RATE
                self._last, missed, late, overruns = now, False, 0, microphone.overruns
                self._watch_mute(samples, microphone.muted)
            yield Chunk(samples, gap)

    def _explain(self, why: object) -> None:
        """Log why there is no audio: each reason once until audio comes."""
        reason = str(why)
        if reason not in self._reasons:
            log.warning("%s%s waiting for it", reason, "" if reason.endswith("?") else ";")
            self._reasons.add(reason)

    def _greet(self, gap: float) -> None:
        """Log that audio comes after all."""
        self._reasons.clear()
        if self._last is None:
            log.info("the microphone %r is there", self.name)
        else:
            log.info("the microphone %r is back after %.1f s", self.name, gap)

    @property
    def _unanswered(self) -> str:
        return f"the audio system has not answered for {UNANSWERED:.0f} s"

    def _take(self, attempt: "Attempt") -> None:
        """Listen to what was opened. Raises AudioError or UsageError where nothing was."""
        self._attempt = None
        self._microphone = attempt.result()
        if self._stopped:  # by a signal, while it was opened
            self._microphone.stop()

    def _reopen(self) -> Iterator[Chunk]:
        """Try until it is open or `stop`."""
        pause = SHORTEST
        while self._microphone is None:
            if self._attempt is None:
                for _ in range(round(pause / TICK)):
                    yield NOTHING
                    if self._stopped:
                        return
                    time.sleep(TICK)
                pause = min(2 * pause, self._opener.pause)
                gc.collect()  # a closed stream of sounddevice is a cycle, which holds its ring
                self._attempt = Attempt(self._opener.open)
            began = time.monotonic()
            while not self._attempt.wait(TICK):
                yield NOTHING
                if self._stopped:
                    return
                if time.monotonic() - began >= UNANSWERED:
                    self._explain(self._unanswered)
            try:
                self._take(self._attempt)
            except (AbsentError, UsageError) as error:
                log.debug("%s", error)
            except AudioError as error:
                self._explain(error)

    def _close(self) -> None:
        assert self._microphone is not None
        self._past_overruns, self._past_dropped = self.overruns, self.dropped
        microphone, self._microphone = self._microphone, None
        microphone.close()

    def _watch_mute(self, samples: Samples, muted: str) -> None:
        """Log that it is muted, or gives digital silence for another reason, once until it does not."""
        if muted and not self._muted:
            log.warning("the microphone %r is muted: %s", self.name, muted)
        if self._muted and not muted:
            log.info("the microphone %r is no longer muted", self.name)
        self._muted = muted
        if muted or samples.any():
            self._mute = 0
            return
        before, self._mute = self._mute, self._mute + len(samples)
        if before < MUTED * SAMPLE_RATE <= self._mute:
            log.warning(
                "the microphone %r has given only zeros for %.0f s: muted, or the wrong one? (kwsd doctor)",
                self.name,
                MUTED,
            )


class Attempt:
    """Opens a microphone in a thread of its own: an audio system that hangs holds up nobody else."""

    def __init__(self, open_: Callable[[], Microphone]) -> None:
        self._open = open_
        self._opened: Microphone | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()  # never waited for at exit

    def wait(self, seconds: float) -> bool:
        """Whether there is a result by then."""
        return self._done.wait(seconds)

    def result(self) -> Microphone:
        """What was opened. Raises what `open_` raised."""
        if self._error:
            raise self._error
        assert self._opened is not None
        return self._opened

    def _run(self) -> None:
        try:
            self._opened = self._open()
        except BaseException as error:
            self._error = error
        self._done.set()
