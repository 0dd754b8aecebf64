"""Audio from a microphone through a sound server."""

import threading
import time
from collections.abc import Iterator

from kwsd.audio.capture import Capture
from kwsd.audio.pulse.server import ANSWER, Answer, NoAnswerError, Server, Source
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_float32

GATHERING = 0.9  # of the latency that pass before the server is listened to again
TICK = 0.25  # seconds after which one who waits looks around
ASKING = 1.0  # seconds without audio after which the server is asked why, again and again
SILENT = 5.0  # seconds without audio after which a source that is not suspended is lost
CLOSING = 2.0  # seconds after which a thread that does not end is left behind


class PulseMicrophone(Capture):
    """A source of the sound server that is recorded, with all its channels."""

    def __init__(
        self, server: Server, source: Source, name: str, follow: bool, channel: int | None, latency: float
    ) -> None:
        """Record `source`, which a person calls `name`, and close the server at the end.

        follow: end where another source becomes the default. channel: the one to hear, counted from 1; None:
        their mean. latency: seconds of audio sent at a time. Raises AudioError, UsageError for no channel.
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
        self._pause = GATHERING * latency
        self._closing = False
        self._error: AudioError | None = None
        self._quiet = 0.0  # seconds without audio
        self._asked = 0.0  # of them, when the server was last asked
        self._note_mute(source)
        # a daemon thread: whatever the server does, the process can end
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Samples]:
        while True:
            closed = self._ring.closed  # looked at first: what was written before the close is still given
            frames = self._ring.read(TICK)
            if closed and not len(frames):
                break
            yield self._mixer.push(to_float32(frames))
        if self._error and not self._stopped:
            raise self._error

    def _release(self) -> None:
        self._closing = True
        self._thread.join(CLOSING)

    def _run(self) -> None:
        """Record until `close`, or until there is nothing more to record."""
        try:
            self._record()
        except AudioError as error:
            self._error = AudioError(f"no more audio from the microphone {self.name!r}: {error}")
        finally:
            self._recording.close()
            self._server.close()
            self._ring.close()

    def _record(self) -> None:
        """Return after `close`, and where another source replaces it. Raises AudioError once it is lost."""
        answer: Answer | None = None  # to the question that is open
        unanswered = 0.0  # seconds since it was asked
        looked = time.monotonic()
        while not self._closing:
            time.sleep(self._pause)  # the server may send small pieces, which gather meanwhile
            self._server.iterate(TICK)
            before, looked = looked, time.monotonic()
            passed = min(looked - before, self._pause + TICK)  # a process that was frozen has not waited
            self._quiet += passed
            self._take()
            if self._recording.lost:
                if self._is_replaced(self._server.look()):
                    return
                raise AudioError("was it unplugged?")
            if answer is None:
                if self._server.changed or self._quiet >= self._asked + ASKING:
                    answer, unanswered = self._ask(), 0.0
            elif answer.complete:
                if self._is_replaced(answer):
                    return
                self._judge(answer)
                answer = None
            else:
                unanswered += passed
                if unanswered >= ANSWER:
                    self.waiting = str(NoAnswerError())
                    if answer.failed:  # it was asked too long ago
                        answer = self._ask()

    def _take(self) -> None:
        """Write to the ring what has come."""
        data, missing = self._recording.read()
        if missing:
            self._lose(missing / SAMPLE_RATE)
        if data:
            self._quiet = self._asked = 0.0
            self.waiting = ""
            self._write(data)

    def _ask(self) -> Answer:
        self._server.changed = False
        self._asked = self._quiet
        return self._server.ask()

    def _judge(self, answer: Answer) -> None:
        """Find out why no audio comes. Raises AudioError where none will."""
        source = answer.find(self._source.name)
        if source:
            self._note_mute(source)
        if source and source.suspended and self._quiet >= ASKING:
            self.waiting = f"the microphone {self.name!r} is suspended"
        elif self.waiting:
            self.waiting = ""
        elif self._quiet >= SILENT or source is None:
            raise AudioError("was it unplugged?")
        else:
            return
        self._quiet = self._asked = 0.0

    def _is_replaced(self, answer: Answer) -> bool:
        """Whether another microphone has become the default that is followed."""
        default = answer.find(answer.default)
        return (
            self._follow and default is not None and not default.monitor and default.name != self._source.name
        )

    def _note_mute(self, source: Source) -> None:
        self.muted = f"pactl set-source-mute {source.name} 0" if source.muted else ""
