"""A microphone that comes back: opened again, by its name, whenever it or the sound server is gone."""

import gc
import logging
import time
from collections.abc import Iterator
from typing import Self

import numpy as np

from kwsd.audio.microphone import MicrophoneSource
from kwsd.audio.pace import Pace
from kwsd.audio.portaudio import Device, devices, find_again, portaudio, refresh
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples

SHORTEST, LONGEST = 0.5, 10.0  # seconds between two attempts to open; each pause is twice the last
TICK = 0.25  # seconds after which one who waits looks around
MUTED = 60.0  # seconds of digital silence after which it is told of

NOTHING: Samples = np.zeros(0, np.float32)

log = logging.getLogger(__name__)


class Supervisor:
    """A source that outlives its microphone. While there is none it gives empty chunks, a few a second."""

    live = True

    def __init__(self, device: str | None = None, exit_on_loss: bool = False, patient: bool = False) -> None:
        """Open the microphone, chosen as MicrophoneSource does it, or, where there is none yet, wait for one.

        `exit_on_loss`: raise AudioError where it would wait. `patient`: wait for a name that none has, too.
        Raises UsageError, AudioError where PortAudio is not installed.
        """
        portaudio()
        self.gap = 0.0  # seconds of audio missing before the chunk just given
        self._wanted: str | Device | None = device
        self._wait = not exit_on_loss
        self._microphone: MicrophoneSource | None = None
        self._past_overruns, self._past_dropped = 0, 0.0  # of microphones closed, and for coming late
        self._stopped = False
        self._mute = 0  # samples of digital silence on end
        try:
            self._open()
        except AudioError as error:
            if exit_on_loss:
                raise
            log.warning("%s; waiting for it", error)
        except UsageError as error:
            if exit_on_loss or not patient:
                raise
            log.warning("%s; waiting for it", error)

    @property
    def name(self) -> str:
        if isinstance(self._wanted, Device):
            return self._wanted.name
        return self._wanted or "default"

    @property
    def waiting(self) -> bool:
        return self._microphone is None

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
            self._microphone.__exit__(*exception)

    def __iter__(self) -> Iterator[Samples]:
        """Raises AudioError where the microphone is gone, told to exit on loss, and where PortAudio hangs."""
        last: float | None = None  # when audio last came, on the monotonic clock
        away = False
        while not self._stopped:
            if self._microphone is None:
                yield from self._reopen()
                continue
            pace, late = Pace(), 0
            try:
                for samples in self._microphone:
                    self.gap = 0.0
                    if len(samples) and pace.late(len(samples) / SAMPLE_RATE):
                        late += len(samples)
                        yield NOTHING
                        continue
                    if len(samples):
                        now = time.monotonic()
                        if last is not None and (away or late):
                            self.gap = now - last
                        if away:
                            log.info("the microphone %r is back after %.1f s", self.name, self.gap)
                        if late:
                            self._past_overruns += 1
                            self._past_dropped += late / SAMPLE_RATE
                        last, away, late = now, False, 0
                        self._watch_mute(samples)
                    yield samples
            except AudioError as error:
                if not self._wait:
                    raise
                if not away:
                    log.warning("%s waiting for it", error)
                away = True
                self._close()

    def stop(self) -> None:
        self._stopped = True
        if microphone := self._microphone:
            microphone.stop()

    def _open(self) -> None:
        """Raises AudioError, or UsageError where the name fits none or several."""
        wanted = self._wanted
        if isinstance(wanted, Device):
            found = find_again(wanted, devices())
            if found is None:
                raise AudioError(f"the microphone {wanted.name!r} is not there")
            wanted = found
        self._microphone = MicrophoneSource(wanted)
        self._wanted = self._microphone.device
        if self._stopped:  # by a signal, while it was opened
            self._microphone.stop()

    def _reopen(self) -> Iterator[Samples]:
        """Try until it is open or `stop`."""
        pause = SHORTEST
        while self._microphone is None:
            for _ in range(round(pause / TICK)):
                self.gap = 0.0
                yield NOTHING
                if self._stopped:
                    return
                time.sleep(TICK)
            pause = min(2 * pause, LONGEST)
            gc.collect()  # a closed stream of sounddevice is a cycle, which holds its ring
            try:
                refresh()
                self._open()
            except (AudioError, UsageError) as error:
                log.debug("%s", error)

    def _close(self) -> None:
        assert self._microphone is not None
        self._past_overruns, self._past_dropped = self.overruns, self.dropped
        microphone, self._microphone = self._microphone, None
        microphone.close()

    def _watch_mute(self, samples: Samples) -> None:
        """Tell of digital silence, once until sound comes."""
        if samples.any():
            self._mute = 0
            return
        before, self._mute = self._mute, self._mute + len(samples)
        if before < MUTED * SAMPLE_RATE <= self._mute:
            log.warning(
                "the microphone %r has given only zeros for %.0f s: muted, or the wrong one? (kwsd doctor)",
                self.name,
                MUTED,
            )
