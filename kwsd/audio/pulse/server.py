"""Connects to a sound server that speaks PulseAudio's protocol, and records from it."""

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kwsd.audio.pulse import libpulse as pa
from kwsd.audio.pulse.libpulse import libpulse
from kwsd.audio.quiet import libraries_silenced
from kwsd.errors import AbsentError, AudioError
from kwsd.pcm import SAMPLE_RATE

ANSWER_TIMEOUT = 4.0  # seconds
MAX_HOLE_SECONDS = 1.0  # most zeros that replace missing frames; a longer hole is cut to this length


class NoServerError(AbsentError):
    """There is no sound server."""


class NoAnswerError(AudioError):
    """The sound server does not answer."""

    def __init__(self) -> None:
        super().__init__("the sound server does not answer")


@dataclass(frozen=True)
class Source:
    """A source of audio: a microphone, or a monitor of a loudspeaker."""

    name: str  # such as alsa_input.usb-Blue_Yeti-00.analog-stereo
    description: str  # such as Yeti Analog Stereo
    index: int
    channels: int
    positions: tuple[int, ...]  # of the channels (pa_channel_position)
    rate: int  # native sample rate, Hz
    monitor: bool  # whether it records what a loudspeaker plays
    muted: bool
    suspended: bool

    def __str__(self) -> str:
        return f"{self.name!r} ({self.description})"


@dataclass
class ServerState:
    """The state of the server. Its fields are filled in as the answers arrive, until it is `complete`."""

    program: str = ""  # such as pulseaudio 16.1
    default: str = ""  # name of the default source
    sources: list[Source] = field(default_factory=list)
    complete: bool = False
    failed: bool = False

    def find(self, name: str) -> Source | None:
        """The source with this name; None if there is none."""
        return next((source for source in self.sources if source.name == name), None)


class Server:
    """A connection to the sound server. Only one thread at a time may use it."""

    def __init__(self) -> None:
        """Connect. Raises NoServerError, NoAnswerError, or AudioError if the server denies access."""
        self._pa = libpulse()
        self.program = ""  # its name and version
        self.changed = False  # set to True when the sources or their default change
        self._callbacks: list[Any] = []  # of the current request; libpulse keeps only pointers to them
        self._operations: list[int] = []  # the two parts of the current request
        self._loop = self._pa.mainloop_new()
        with libraries_silenced():  # libpulse prints an error if it cannot read the home folder
            self._context = self._pa.context_new(self._pa.mainloop_get_api(self._loop), b"kwsd")
        self._on_event = pa.ON_EVENT(self._note_change)
        try:
            with libraries_silenced():
                refused = self._pa.context_connect(self._context, None, pa.NO_AUTOSPAWN, None) < 0
            if refused:
                raise NoServerError("there is no sound server")
            self._wait(lambda: self._pa.context_get_state(self._context) == pa.CONTEXT_READY)
            self._pa.context_set_subscribe_callback(self._context, self._on_event, None)
            about = pa.ABOUT_SOURCES | pa.ABOUT_SERVER
            self._pa.operation_unref(self._pa.context_subscribe(self._context, about, None, None))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect. May be called only once."""
        self._cancel_request()
        self._pa.context_disconnect(self._context)
        self._pa.context_unref(self._context)
        self._pa.mainloop_free(self._loop)

    def iterate(self, seconds: float) -> None:
        """Wait for the server to send something, for `seconds` at most, and handle it.

        Raises AudioError if the connection is lost.
        """
        self._pa.mainloop_prepare(self._loop, round(seconds * 1e6))
        self._pa.mainloop_poll(self._loop)
        dispatched = self._pa.mainloop_dispatch(self._loop)
        while dispatched > 0:
            dispatched = self._pa.mainloop_iterate(self._loop, 0, None)
        if self._pa.context_get_state(self._context) >= pa.CONTEXT_FAILED:
            raise self._failure()

    def request_state(self) -> ServerState:
        """Request the state of the server, which `iterate` fills in later. Cancels an earlier request."""
        self._cancel_request()
        answer = ServerState()

        def on_server(_context: Any, info: Any, _data: Any) -> None:
            if info:
                answer.program = f"{_text(info[0].server_name)} {_text(info[0].server_version)}"
                answer.default = _text(info[0].default_source_name)

        def on_source(_context: Any, info: Any, end: int, _data: Any) -> None:
            if end == 0:
                answer.sources.append(_source(info[0]))
            elif end > 0:  # answers arrive in order, so the other part is complete, too
                answer.complete = True
            else:
                answer.failed = True

        self._callbacks = [pa.ON_SERVER(on_server), pa.ON_SOURCE(on_source)]
        self._operations = [
            self._pa.context_get_server_info(self._context, self._callbacks[0], None),
            self._pa.context_get_source_info_list(self._context, self._callbacks[1], None),
        ]
        return answer

    def state(self) -> ServerState:
        """Request the state of the server and wait for it, for ANSWER_TIMEOUT seconds. Raises AudioError."""
        answer = self.request_state()
        self._wait(lambda: answer.complete or answer.failed)
        if answer.failed:
            raise self._failure()
        self.program = answer.program
        return answer

    def record(self, source: Source, latency: float) -> "Recording":
        """Start to record int16 at 16 kHz, delivered every `latency` seconds. Raises AudioError."""
        recording = Recording(self._pa, self._context, source, latency)
        try:
            self._wait(lambda: recording.ready)
        except BaseException:
            recording.close()
            raise
        return recording

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Iterate until the condition is true. Raises NoAnswerError after ANSWER_TIMEOUT seconds."""
        end = time.monotonic() + ANSWER_TIMEOUT
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise NoAnswerError
            self.iterate(left)

    def _failure(self) -> AudioError:
        """The exception for the current error of the connection."""
        code = self._pa.context_errno(self._context)
        text = self._pa.strerror(code).decode()
        if code in pa.NOT_ALLOWED:
            return AudioError(f"the sound server denies access: {text}")
        return NoServerError(
            "there is no sound server" if code in pa.NOT_THERE else "lost the connection to the sound server"
        )

    def _cancel_request(self) -> None:
        for operation in self._operations:
            self._pa.operation_cancel(operation)
            self._pa.operation_unref(operation)
        self._operations, self._callbacks = [], []

    def _note_change(self, *_: Any) -> None:
        self.changed = True


class Recording:
    """A stream that records a source. The server is asked not to move it to another source."""

    def __init__(self, library: Any, context: int, source: Source, latency: float) -> None:
        self.channels = source.channels
        self._name = source.name
        self._pa = library
        self._frame_bytes = 2 * self.channels
        self._max_hole_bytes = round(MAX_HOLE_SECONDS * SAMPLE_RATE) * self._frame_bytes
        spec = pa.SampleSpec(pa.INT16, SAMPLE_RATE, self.channels)
        positions = pa.ChannelMap(self.channels)
        positions.map[: self.channels] = source.positions
        flags = pa.DONT_MOVE | pa.ADJUST_LATENCY | pa.NO_REMIX_CHANNELS
        buffers = pa.BufferAttr(*[pa.NONE] * 4, round(latency * SAMPLE_RATE) * self._frame_bytes)
        self._stream = self._pa.stream_new(context, b"microphone", spec, positions)
        if self._stream is None:  # passing it on to libpulse would abort the process
            raise AudioError(f"kwsd does not support the channel layout of {source.name!r}")
        self._pa.stream_connect_record(self._stream, source.name.encode(), buffers, flags)

    @property
    def ready(self) -> bool:
        """Whether it has started. Raises AudioError if the server refuses."""
        state: int = self._pa.stream_get_state(self._stream)
        if state >= pa.STREAM_FAILED:
            raise AudioError(f"the sound server refuses to record from {self._name!r}")
        return state == pa.STREAM_READY

    @property
    def lost(self) -> bool:
        """Whether the server has ended it, or has moved it to another source after all."""
        state: int = self._pa.stream_get_state(self._stream)
        if state >= pa.STREAM_FAILED:
            return True
        name: bytes | None = self._pa.stream_get_device_name(self._stream)
        return name != self._name.encode()

    def read(self) -> tuple[bytes, int]:
        """The frames that have arrived, interleaved int16, and how many of them are zeros for lost ones."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        parts, missing = [], 0
        while self._pa.stream_peek(self._stream, data, size) == 0 and size.value:
            if data.value:
                parts.append(ctypes.string_at(data.value, size.value))
            else:
                parts.append(bytes(min(size.value, self._max_hole_bytes)))
                missing += size.value // self._frame_bytes
            self._pa.stream_drop(self._stream)
        return b"".join(parts), missing

    def close(self) -> None:
        """Disconnect. May be called only once."""
        self._pa.stream_disconnect(self._stream)
        self._pa.stream_unref(self._stream)


def _source(info: Any) -> Source:
    """The source that a pa_source_info describes."""
    channels = info.sample_spec.channels
    return Source(
        name=_text(info.name),
        description=_text(info.description),
        index=info.index,
        channels=channels,
        positions=tuple(info.channel_map.map[:channels]),
        rate=info.sample_spec.rate,
        monitor=info.monitor_of_sink != pa.NONE,
        muted=bool(info.mute),
        suspended=info.state == pa.SUSPENDED,
    )


def _text(given: bytes | None) -> str:
    return (given or b"").decode(errors="replace")
