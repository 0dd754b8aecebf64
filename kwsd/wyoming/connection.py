"""The connection of one client: reads its messages, detects words in its audio, and answers."""

import asyncio
import logging
import socket
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.event import Event
from wyoming.info import Describe
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected

from kwsd.errors import one_line, shown
from kwsd.wyoming.pcm_format import PcmFormat
from kwsd.wyoming.protocol import Message, MessageReader, ProtocolError, encoded
from kwsd.wyoming.stream import AudioStream, Chunk
from kwsd.wyoming.turns import Turns
from kwsd.wyoming.words import Words

BATCH_SECONDS = 0.08  # of audio that is waited for, because two chunks at once cost less than each alone
MAX_AUDIO_SECONDS = 0.32  # of audio, about, that is worked on at a time
MAX_WAITING_SECONDS = 2.0  # of audio that may wait before the client is no longer read
MAX_WAITING_ITEMS = 256
MAX_UNREAD_BYTES = 262_144  # of answers that a client may leave unread

log = logging.getLogger(__name__)


class Service(Protocol):
    """What a connection needs of the service that it belongs to."""

    words: Words
    turns: Turns

    def admit(self, connection: "Connection") -> bool:
        """Take up a connection. Returns False if there are too many."""

    def left(self, connection: "Connection") -> None:
        """A connection has ended."""


class Connection(asyncio.Protocol):
    """A client's connection. Requests are answered in order, except `describe` and `ping`: those at once."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._reader = MessageReader()
        self._queue: deque[Chunk | Callable[[], None]] = deque()
        self._requests = 0  # entries of the queue that are not audio
        self._seconds = 0.0  # of audio in the queue
        self._names: list[str] | None = None  # of the words that the client wants; None for all
        self._context: dict[str, Any] | None = None
        self._stream: AudioStream | None = None
        self._paused = False
        self.name = ""  # for log lines

    # called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open(cast(asyncio.Transport, transport), cast(asyncio.Transport, transport))

    def _open(self, reading: asyncio.ReadTransport, writing: asyncio.WriteTransport) -> None:
        """Begin with these transports, which are one for a socket."""
        self._input, self._output = reading, writing
        self.name = self._peer()
        _keep_alive(writing.get_extra_info("socket"))
        if not self._service.admit(self):
            writing.close()

    def _peer(self) -> str:
        """What log lines call the client."""
        peer = self._output.get_extra_info("peername")
        return "{}:{}".format(*peer) if isinstance(peer, tuple) else "a local client"

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._reader.push(data):
                self._take(message)
        except ProtocolError as error:
            self._fail(str(error))
            return
        waits = self._seconds > MAX_WAITING_SECONDS or len(self._queue) > MAX_WAITING_ITEMS
        if waits and not self._paused:
            self._paused = True
            self._input.pause_reading()
        self._ask_for_turn()

    def eof_received(self) -> bool:
        """The client sends no more; it may still read."""
        if self._reader.inside:
            self._fail("it left in the middle of a message")
            return False
        self._request(self._close)
        self._ask_for_turn()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a client may leave in any way
        self._queue.clear()
        self._requests, self._stream = 0, None
        self._service.left(self)

    def disconnect(self) -> None:
        """Disconnect the client, without an answer."""
        self._output.abort()

    # called by `Turns`

    def take_turn(self) -> bool:
        """Work on the next request, or on the next audio. Returns whether more is due."""
        try:
            if self._queue:
                if isinstance(self._queue[0], Chunk):
                    self._detect(self._next_chunks())
                else:
                    request = cast(Callable[[], None], self._queue.popleft())
                    self._requests -= 1
                    request()
        except ProtocolError as error:
            self._fail(str(error))
        except Exception:  # a fault of kwsd: this client is disconnected, and the event loop logs the error
            self._fail("it met an error of kwsd")
            raise
        if (
            self._paused
            and self._seconds < MAX_WAITING_SECONDS / 2
            and len(self._queue) < MAX_WAITING_ITEMS / 2
        ):
            self._paused = False
            if not self._input.is_closing():
                self._input.resume_reading()
        return self._is_due()

    # messages

    def _take(self, message: Message) -> None:
        """Take the next message. Types that are not known are ignored, as the protocol wants it."""
        kind, data = message.type, message.data
        if AudioChunk.is_type(kind):
            self._take_audio(message)
        elif Describe.is_type(kind):
            self._write(self._service.words.info)
        elif Ping.is_type(kind):
            text = data.get("text")
            self._answer(Pong(text if isinstance(text, str) else None).event())
        elif Detect.is_type(kind):
            self._request(partial(self._choose, *_detect(data)))
        elif AudioStart.is_type(kind):
            PcmFormat.of(data)
            self._request(self._start)
        elif AudioStop.is_type(kind):
            self._request(self._stop)

    def _take_audio(self, message: Message) -> None:
        pcm_format = PcmFormat.of(message.data)
        timestamp = message.data.get("timestamp")
        if timestamp is not None and type(timestamp) not in (int, float):
            raise ProtocolError(f"audio with the timestamp {shown(timestamp)}, which is not a number")
        audio = message.payload
        if len(audio) % pcm_format.frame_bytes:
            raise ProtocolError(f"{len(audio):,} bytes of audio, in frames of {pcm_format.frame_bytes} bytes")
        size = round(pcm_format.rate * MAX_AUDIO_SECONDS) * pcm_format.frame_bytes
        for start in range(0, len(audio), size):
            chunk = Chunk(audio[start : start + size], pcm_format, timestamp)
            self._queue.append(chunk)
            self._seconds += chunk.seconds

    def _request(self, request: Callable[[], None]) -> None:
        """Do this after everything that was received before."""
        self._queue.append(request)
        self._requests += 1

    # requests

    def _choose(self, names: list[str] | None, context: dict[str, Any] | None) -> None:
        """Detect these words from now on."""
        self._names, self._context, self._stream = names, context, None
        offered = self._service.words.by_name
        unknown = [name for name in names or () if name not in offered]
        if unknown:
            log.warning(
                "%s asks for %s, which is not offered; offered: %s",
                self.name,
                ", ".join(map(shown, unknown[:5])),
                one_line(", ".join(offered)),
            )

    def _start(self) -> None:
        self._stream = AudioStream(self._service.words.detector(self._names))

    def _detect(self, chunks: list[Chunk]) -> None:
        if self._stream is None:
            self._start()
        assert self._stream is not None
        for heard in self._stream.push(chunks):
            self._tell(heard.name, heard.posterior, heard.timestamp)

    def _stop(self) -> None:
        stream, self._stream = self._stream, None
        if stream is None:  # audio-stop without audio
            stream = AudioStream(None)
        for heard in stream.finish():
            self._tell(heard.name, heard.posterior, heard.timestamp)
        if not stream.detected:
            self._answer(NotDetected(self._context).event())

    def _tell(self, name: str, posterior: float, timestamp: float) -> None:
        log.info("%s: detected, posterior %.3f, for %s", one_line(name), posterior, self.name)
        # a timestamp is passed on as it came, so it may also be a float
        self._answer(Detection(name=name, timestamp=cast(int, timestamp), context=self._context).event())

    # the rest

    def _next_chunks(self) -> list[Chunk]:
        """Take audio for one turn out of the queue."""
        chunks: list[Chunk] = []
        seconds = 0.0
        while self._queue and seconds < MAX_AUDIO_SECONDS and isinstance(self._queue[0], Chunk):
            chunk = cast(Chunk, self._queue.popleft())
            chunks.append(chunk)
            seconds += chunk.seconds
        self._seconds = max(0.0, self._seconds - seconds) if self._queue else 0.0
        return chunks

    def _is_due(self) -> bool:
        return self._requests > 0 or self._seconds >= BATCH_SECONDS

    def _ask_for_turn(self) -> None:
        if self._is_due():
            self._service.turns.add(self)

    def _answer(self, event: Event) -> None:
        self._write(encoded(event))

    def _write(self, message: bytes) -> None:
        if self._output.is_closing():
            return
        if self._output.get_write_buffer_size() > MAX_UNREAD_BYTES:
            self._fail("it does not read its answers")
            return
        self._output.write(message)

    def _close(self) -> None:
        self._output.close()

    def _fail(self, reason: str) -> None:
        """Disconnect the client, with one line in the log."""
        if not self._output.is_closing():
            log.warning("%s was disconnected: %s", self.name, reason)
        self._queue.clear()
        self._requests, self._seconds = 0, 0.0
        self._output.abort()


def _keep_alive(connection: socket.socket | None) -> None:
    """Let the kernel find out that a satellite has lost its power, which else holds its place forever."""
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":  # after 60 s of silence ask up to four times; the default is two hours
        for option, value in ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4)):
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _detect(data: dict[str, Any]) -> tuple[list[str] | None, dict[str, Any] | None]:
    """The names and the context of a `detect` message. Raises ProtocolError."""
    names, context = data.get("names"), data.get("context")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise ProtocolError(f"detect with the names {shown(names)}, which is not a list of names")
    if context is not None and not isinstance(context, dict):
        raise ProtocolError(f"detect with the context {shown(context)}, which is not an object")
    return names or None, context
