"""Records a microphone through the sound server."""

import threading
import time
from collections.abc import Iterator

from kwsd.audio.capture import Capture
from kwsd.audio.pulse.server import ANSWER_TIMEOUT, NoAnswerError, Server, ServerState, Source
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_float32

SLEEP_SHARE = 0.9  # of the latency: how long the thread sleeps before it waits for the server
WAIT_SECONDS = 0.25  # length of each wait for the server or for audio
QUERY_INTERVAL = 1.0  # seconds between two requests for the server's state while there is no audio
LOSS_TIMEOUT = 5.0  # seconds without audio after which a source that is not suspended counts as lost
CLOSE_TIMEOUT = 2.0  # seconds to wait for the recording thread to end


class PulseMicrophone(Capture):
    """Records a source of the sound server with all its channels."""

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
            super().__init__(name, server.program, SAMPLE_RATE, self._recording.channels, channel)
        except UsageError:
            self._recording.close()
            raise
        channels = f"{source.channels} channel{'' if source.channels == 1 else 's'}"
        self.description = f"{source.description} ({server.program}), {source.rate} Hz, {channels}"
        self._server, self._source, self._follow = server, source, follow
        self._pause = SLEEP_SHARE * latency
        self._closing = False
        self._error: AudioError | None = None
        self._quiet = 0.0  # seconds without audio
        self._last_query = 0.0  # value of `_quiet` at the last request
        self._note_mute(source)
        # a daemon thread, so that the process can exit even if the server hangs
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Samples]:
        while True:
            closed = self._ring.closed  # checked first, so that audio written before the close is still read
            frames = self._ring.read(WAIT_SECONDS)
            if closed and not len(frames):
                break
            yield self._mixer.push(to_float32(frames))
        if self._error and not self._stopped:
            raise self._error

    def _release(self) -> None:
        """Wait until the thread has closed the stream and the server, for CLOSE_TIMEOUT at most."""
        self._closing = True
        self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        """Runs in a thread: record until `close`, or until the source is lost or replaced."""
        try:
            self._record()
        except AudioError as error:
            self._error = AudioError(f"no more audio from the microphone {self.name!r}: {error}")
        finally:
            self._recording.close()
            self._server.close()
            self._ring.close()

    def _record(self) -> None:
        """Record until `close`, or until another source replaces this one. Raises AudioError on a loss."""
        answer: ServerState | None = None  # to the pending request
        unanswered = 0.0  # seconds since that request
        last = time.monotonic()
        while not self._closing:
            time.sleep(self._pause)  # the server may send small pieces; read several at once
            self._server.iterate(WAIT_SECONDS)
            before, last = last, time.monotonic()
            # limited, so that time while the process was frozen does not count
            passed = min(last - before, self._pause + WAIT_SECONDS)
            self._quiet += passed
            self._store_audio()
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

    def _store_audio(self) -> None:
        """Write the audio that has arrived to the ring buffer."""
        data, missing = self._recording.read()
        if missing:
            self._lose(missing / SAMPLE_RATE)
        if data:
            self._quiet = self._last_query = 0.0
            self.waiting = ""
            self._write(data)

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
