"""Records a microphone through the sound server."""

import time
from collections.abc import Iterator

import numpy as np

from kwsd.audio.channels import Mixer
from kwsd.audio.pulse.server import ANSWER_TIMEOUT, NoAnswerError, Server, ServerState, Source
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_float32

SLEEP_SHARE = 0.9  # of the latency: how long to sleep from one read to the next before waiting for the server
CATCHING_UP = 1.0  # seconds of audio in one read, after which more is waiting: the process was stopped
WAIT_SECONDS = 0.25  # of each wait for the server
QUERY_INTERVAL = 1.0  # seconds between two requests for the server's state while there is no audio
LOSS_TIMEOUT = 5.0  # seconds without audio after which a source that is not suspended counts as lost


class PulseMicrophone:
    """Records a source of the sound server with all its channels. A `Microphone`.

    It needs no thread and no ring buffer: while its reader is busy, audio waits in the sound server, and no
    call to libpulse waits for longer than it is told to.
    """

    def __init__(
        self, server: Server, source: Source, name: str, follow: bool, channel: int | None, latency: float
    ) -> None:
        """Start to record `source`. `close` also closes the server.

        name: of the microphone, to show to the user. follow: end when another source becomes the default.
        channel: the channel to read, counted from 1; None averages all. latency: seconds of audio that
        the server sends at a time. Raises AudioError, or UsageError if there is no such channel.
        """
        self._recording = server.record(source, latency)
        try:
            self._mixer = Mixer(name, self._recording.channels, SAMPLE_RATE, channel)
        except UsageError:
            self._recording.close()
            raise
        channels = f"{source.channels} channel{'' if source.channels == 1 else 's'}"
        self.description = f"{source.description} ({server.program}), {source.rate} Hz, {channels}"
        self.name = name
        self.waiting = ""
        self.overruns = 0
        self.dropped = 0.0  # seconds
        self._server, self._source, self._follow = server, source, follow
        self._pause = SLEEP_SHARE * latency
        self._stopped = False
        self._last_read = time.monotonic()
        self._quiet = 0.0  # seconds without audio
        self._last_query = 0.0  # value of `_quiet` at the last request
        self._note_mute(source)

    @property
    def backlog(self) -> float:
        """Seconds since the last read, which took all audio until then."""
        return time.monotonic() - self._last_read

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        self._recording.close()
        self._server.close()

    def __iter__(self) -> Iterator[Samples]:
        try:
            yield from self._record()
        except AudioError as error:
            if not self._stopped:
                raise AudioError(f"no more audio from the microphone {self.name!r}: {error}") from error

    def _record(self) -> Iterator[Samples]:
        """Yield audio until `stop` or until another source replaces this one. Raises AudioError on a loss."""
        answer: ServerState | None = None  # to the pending request
        unanswered = 0.0  # seconds since that request
        samples = np.zeros(0, np.float32)
        while not self._stopped:
            # the server may send small pieces; read several at once
            if len(samples) < CATCHING_UP * SAMPLE_RATE:
                time.sleep(max(0.0, self._pause - self.backlog))
            self._server.iterate(WAIT_SECONDS)
            # limited, so that time while the process was frozen does not count
            passed = min(self.backlog, self._pause + WAIT_SECONDS)
            self._last_read = time.monotonic()
            self._quiet += passed
            samples = self._read()
            yield samples
            if self._recording.lost:
                if self._is_replaced(self._server.state()):
                    return
                raise AudioError("was it unplugged?")
            if answer is None:
                if self._server.changed or self._quiet >= self._last_query + QUERY_INTERVAL:
                    answer, unanswered = self._request_state(), 0.0
            elif answer.complete:
                if self._is_replaced(answer):
                    return
                self._check_source(answer)
                answer = None
            else:
                unanswered += passed
                if unanswered >= ANSWER_TIMEOUT:
                    self.waiting = str(NoAnswerError())
                    if answer.failed:  # the request has expired
                        answer = self._request_state()

    def _read(self) -> Samples:
        """The audio that has arrived."""
        data, missing = self._recording.read()
        if missing:
            self.overruns += 1
            self.dropped += missing / SAMPLE_RATE
        if data:
            self._quiet = self._last_query = 0.0
            self.waiting = ""
        frames = np.frombuffer(data, np.int16).reshape(-1, self._mixer.channels)
        return self._mixer.push(to_float32(frames))

    def _request_state(self) -> ServerState:
        """Ask the server for its state, to find out why there is no audio."""
        self._server.changed = False
        self._last_query = self._quiet
        return self._server.request_state()

    def _check_source(self, answer: ServerState) -> None:
        """Find out why there is no audio, and update `waiting`. Raises AudioError if the source is lost."""
        source = answer.find(self._source.name)
        if source:
            self._note_mute(source)
        if source and source.suspended and self._quiet >= QUERY_INTERVAL:
            self.waiting = f"the microphone {self.name!r} is suspended"
        elif self.waiting:
            self.waiting = ""
        elif self._quiet >= LOSS_TIMEOUT or source is None:
            raise AudioError("was it unplugged?")
        else:
            return
        self._quiet = self._last_query = 0.0

    def _is_replaced(self, answer: ServerState) -> bool:
        """Whether another microphone has become the default and should be followed."""
        default = answer.find(answer.default)
        return (
            self._follow and default is not None and not default.monitor and default.name != self._source.name
        )

    def _note_mute(self, source: Source) -> None:
        """Update `muted` from the state of the source."""
        self.muted = f"pactl set-source-mute {source.name} 0" if source.muted else ""
