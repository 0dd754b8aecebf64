"""Reconnects to a microphone after it was unplugged or the sound server was restarted."""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Self

import numpy as np

from kwsd.audio.lag import LagDetector
from kwsd.audio.microphone import LATENCY, Microphone, opener
from kwsd.audio.source import Chunk
from kwsd.errors import AbsentError, AudioError, KwsdError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples

FIRST_BACKOFF = 0.5  # seconds before the first retry; each backoff is twice the one before
POLL_INTERVAL = 0.25  # seconds between two empty chunks while there is no microphone
OPEN_TIMEOUT = 5.0  # seconds after which an attempt to open the microphone is reported as hanging
ZEROS_SECONDS = 60.0  # of digital silence, after which it is reported

EMPTY = Chunk(np.zeros(0, np.float32))

log = logging.getLogger(__name__)


class ReconnectingMicrophone:
    """A microphone that is reopened by its name whenever it is lost.

    It retries with exponential backoff. Until the microphone is back it yields a few empty chunks per second,
    so that its reader can go on with its other work.
    """

    live = True

    def __init__(
        self,
        device: str | None = None,
        exit_on_loss: bool = False,
        wait_for_device: bool = False,
        channel: int | None = None,
        latency: float = LATENCY,
    ) -> None:
        """Open the microphone, or start to retry if that fails. See `opener` for device, channel and latency.

        exit_on_loss: raise AudioError instead of retrying.
        wait_for_device: retry even if `device` matches no microphone yet: it may be plugged in later.
        Raises UsageError if `device` matches none or several, AudioError if there is no audio library.
        """
        self._opener = opener(device, channel, latency)
        self._exit_on_loss = exit_on_loss
        self._microphone: Microphone | None = None
        self._attempt: OpenAttempt | None = None  # the attempt to open it that is still running
        self._last_audio: float | None = None  # when audio arrived last, on the monotonic clock
        self._reasons: set[str] = set()  # why there is no audio, as already logged since audio stopped
        # of microphones that are closed by now, and of audio that was dropped as too late (see lag.py)
        self._past_overruns = 0
        self._past_dropped = 0.0  # seconds
        self._stopped = False
        self._muted = ""  # see `Microphone.muted`
        self._zeros = 0  # consecutive samples of digital silence
        try:
            self._attempt = OpenAttempt(self._opener.open)
            if self._attempt.wait(OPEN_TIMEOUT):
                self._use(self._attempt)
            else:
                self._handle_loss(self._hanging)
        except AudioError as error:
            self._handle_loss(error)
        except UsageError as error:
            if not wait_for_device:
                raise
            self._handle_loss(error)

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
        """Yield chunks until `stop`.

        Raises AudioError if PortAudio hangs while it closes a microphone. With `exit_on_loss`, raises the
        error of a microphone that is lost, or that cannot be opened in place of another one.
        """
        while not self._stopped:
            if self._microphone is None:
                yield from self._reconnect()
                continue
            try:
                yield from self._read(self._microphone)
                if not self._stopped:  # another microphone has become the default
                    self._close()
                    self._attempt = OpenAttempt(self._opener.open)
            except AudioError as error:
                self._handle_loss(error)
                self._close()

    def stop(self) -> None:
        self._stopped = True
        if microphone := self._microphone:
            microphone.stop()

    def _read(self, microphone: Microphone) -> Iterator[Chunk]:
        """Yield the audio of a microphone until it ends, and drop audio that arrives too late."""
        lag, late, overruns = LagDetector(), 0, microphone.overruns  # late: samples that arrived too late
        # whether audio is missing, at first because an earlier microphone was lost or replaced
        missed = self._last_audio is not None
        for samples in microphone:
            gap = 0.0
            if microphone.waiting:
                self._report(microphone.waiting)
                missed = True
            if len(samples) and lag.is_late(len(samples) / SAMPLE_RATE):
                late += len(samples)
                yield EMPTY
                continue
            if len(samples):
                now = time.monotonic()
                if self._last_audio is not None and (missed or late):
                    gap = now - self._last_audio
                if self._reasons:
                    self._report_connection(gap)
                if late and not missed:
                    # one more overrun, unless the microphone has counted one itself
                    self._past_overruns += microphone.overruns == overruns
                    self._past_dropped += late / SAMPLE_RATE
                self._last_audio, missed, late, overruns = now, False, 0, microphone.overruns
                self._watch_mute(samples, microphone.muted)
            yield Chunk(samples, gap)

    def _handle_loss(self, error: KwsdError) -> None:
        """Log why there is no microphone, for which kwsd waits. With `exit_on_loss`, raise it instead."""
        if self._exit_on_loss:
            raise error
        self._report(error)

    def _report(self, why: object) -> None:
        """Log why there is no audio, for which kwsd waits. Each reason is logged once until audio arrives."""
        reason = str(why)
        if reason not in self._reasons:
            log.warning("%s%s waiting for it", reason, "" if reason.endswith("?") else ";")
            self._reasons.add(reason)

    def _report_connection(self, gap: float) -> None:
        """Log that audio arrives. gap: seconds without audio."""
        self._reasons.clear()
        if self._last_audio is None:
            log.info("connected to the microphone %r", self.name)
        else:
            log.info("reconnected to the microphone %r after %.1f s", self.name, gap)

    @property
    def _hanging(self) -> AudioError:
        """The error for an audio system that hangs."""
        return AudioError(f"the audio system has not answered for {OPEN_TIMEOUT:.0f} s")

    def _use(self, attempt: "OpenAttempt") -> None:
        """Use the microphone that an attempt has opened. Raises the attempt's error if it failed."""
        self._attempt = None
        self._microphone = attempt.result()
        if self._stopped:  # a signal arrived while it was being opened
            self._microphone.stop()

    def _reconnect(self) -> Iterator[Chunk]:
        """Yield empty chunks until the microphone is open, or until `stop`."""
        backoff = FIRST_BACKOFF
        while self._microphone is None:
            if self._attempt is None:
                for _ in range(round(backoff / POLL_INTERVAL)):
                    yield EMPTY
                    if self._stopped:
                        return
                    time.sleep(POLL_INTERVAL)
                backoff = min(2 * backoff, self._opener.max_backoff)
                gc.collect()  # a closed sounddevice stream is a reference cycle that holds a ring buffer
                self._attempt = OpenAttempt(self._opener.open)
            started = time.monotonic()
            while not self._attempt.wait(POLL_INTERVAL):
                yield EMPTY
                if self._stopped:
                    return
                if time.monotonic() - started >= OPEN_TIMEOUT:
                    self._handle_loss(self._hanging)
            try:
                self._use(self._attempt)
            except (AbsentError, UsageError) as error:  # as at every retry while it is not plugged in
                if self._exit_on_loss:
                    raise
                log.debug("%s", error)
            except AudioError as error:
                self._handle_loss(error)

    def _close(self) -> None:
        assert self._microphone is not None
        self._past_overruns, self._past_dropped = self.overruns, self.dropped
        microphone, self._microphone = self._microphone, None
        microphone.close()

    def _watch_mute(self, samples: Samples, muted: str) -> None:
        """Log once that the microphone is muted, or that it delivers digital silence for another reason."""
        if muted and not self._muted:
            log.warning("the microphone %r is muted: %s", self.name, muted)
        if self._muted and not muted:
            log.info("the microphone %r is no longer muted", self.name)
        self._muted = muted
        if muted or samples.any():
            self._zeros = 0
            return
        before, self._zeros = self._zeros, self._zeros + len(samples)
        if before < ZEROS_SECONDS * SAMPLE_RATE <= self._zeros:
            log.warning(
                "the microphone %r has delivered only zeros for %.0f s: is it muted, or the wrong one? "
                "Run kwsd doctor",
                self.name,
                ZEROS_SECONDS,
            )


class OpenAttempt:
    """Opens a microphone in its own thread, so that an audio system that hangs blocks nothing else."""

    def __init__(self, open_: Callable[[], Microphone]) -> None:
        self._open = open_
        self._microphone: Microphone | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()  # a daemon thread does not delay the exit

    def wait(self, seconds: float) -> bool:
        """Wait for the result. Returns whether there is one."""
        return self._done.wait(seconds)

    def result(self) -> Microphone:
        """The open microphone. Raises what `open_` raised."""
        if self._error:
            raise self._error
        assert self._microphone is not None
        return self._microphone

    def _run(self) -> None:
        try:
            self._microphone = self._open()
        except BaseException as error:
            self._error = error
        self._done.set()
