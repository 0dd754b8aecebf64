"""A sound server that speaks PulseAudio's protocol (PulseAudio, PipeWire), and its sources."""

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

ANSWER = 4.0  # seconds after which a server does not answer
LONGEST_HOLE = 1.0  # seconds of zeros in the place of frames that are missing; the rest is left out


class NoServerError(AbsentError):
    """There is no sound server."""


class NoAnswerError(AudioError):
    """The sound server does not answer."""

    def __init__(self) -> None:
        super().__init__("the sound server does not answer")


@dataclass(frozen=True)
class Source:
    """What the server can record from."""

    name: str  # such as alsa_input.usb-Blue_Yeti-00.analog-stereo
    description: str  # such as Yeti Analog Stereo
    index: int
    channels: int
    positions: tuple[int, ...]  # of the channels
    rate: int  # its own, Hz
    monitor: bool  # it records what a loudspeaker plays
    muted: bool
    suspended: bool

    def __str__(self) -> str:
        return f"{self.name!r} ({self.description})"


@dataclass
class Answer:
    """What the server says about itself, once it is `complete`."""

    program: str = ""  # such as pulseaudio 16.1
    default: str = ""  # name of the default source
    sources: list[Source] = field(default_factory=list)
    complete: bool = False
    failed: bool = False

    def find(self, name: str) -> Source | None:
        """The source of this name."""
        return next((source for source in self.sources if source.name == name), None)


class Server:
    """A connection to the server. One thread at a time may use it; nothing here waits longer than it says."""

    def __init__(self) -> None:
        """Connect. Raises NoServerError, NoAnswerError, or AudioError where the server refuses."""
        self._pa = libpulse()
        self.program = ""  # its name and version
        self.changed = False  # its sources or their default, since this was last set to False
        self._callbacks: list[Any] = []  # of the question asked last, kept while C knows them
        self._operations: list[int] = []  # its two parts
        self._loop = self._pa.mainloop_new()
        with libraries_silenced():  # of a home that may not be read libpulse tells at each try
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
        """May be called once."""
        self._forget_question()
        self._pa.context_disconnect(self._context)
        self._pa.context_unref(self._context)
        self._pa.mainloop_free(self._loop)

    def iterate(self, seconds: float) -> None:
        """Handle all that the server has sent; wait so long for it to send something.

        Raises AudioError where the server is gone.
        """
        self._pa.mainloop_prepare(self._loop, round(seconds * 1e6))
        self._pa.mainloop_poll(self._loop)
        while self._pa.mainloop_dispatch(self._loop) > 0:
            self._pa.mainloop_prepare(self._loop, 0)
            self._pa.mainloop_poll(self._loop)
        if self._pa.context_get_state(self._context) >= pa.CONTEXT_FAILED:
            raise self._failure()

    def ask(self) -> Answer:
        """Ask for all that is in an Answer, which is complete some iterations later. One question at once."""
        self._forget_question()
        answer = Answer()

        def hear_server(_context: Any, info: Any, _data: Any) -> None:
            if info:
                answer.program = f"{_text(info[0].server_name)} {_text(info[0].server_version)}"
                answer.default = _text(info[0].default_source_name)

        def hear_source(_context: Any, info: Any, end: int, _data: Any) -> None:
            if end == 0:
                answer.sources.append(_source(info[0]))
            elif end > 0:  # the server answers in order, so the other part is there as well
                answer.complete = True
            else:
                answer.failed = True

        self._callbacks = [pa.ON_SERVER(hear_server), pa.ON_SOURCE(hear_source)]
        self._operations = [
            self._pa.context_get_server_info(self._context, self._callbacks[0], None),
            self._pa.context_get_source_info_list(self._context, self._callbacks[1], None),
        ]
        return answer

    def look(self) -> Answer:
        """Ask and wait for the answer. Raises AudioError, NoAnswerError after ANSWER seconds."""
        answer = self.ask()
        self._wait(lambda: answer.complete or answer.failed)
        if answer.failed:
            raise self._failure()
        self.program = answer.program
        return answer

    def record(self, source: Source, fragment: float) -> "Recording":
        """Start to record int16 at 16 kHz, `fragment` seconds at a time. Raises AudioError."""
        recording = Recording(self._pa, self._context, source, fragment)
        try:
            self._wait(lambda: recording.ready)
        except BaseException:
            recording.close()
            raise
        return recording

    def _wait(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + ANSWER
        while not condition():
            left = end - time.monotonic()
            if left <= 0:
                raise NoAnswerError
            self.iterate(left)

    def _failure(self) -> AudioError:
        code = self._pa.context_errno(self._context)
        text = self._pa.strerror(code).decode()
        if code in pa.NOT_ALLOWED:
            return AudioError(f"the sound server does not let kwsd in: {text}")
        return NoServerError(
            "there is no sound server" if code in pa.NOT_THERE else "the sound server is gone"
        )

    def _forget_question(self) -> None:
        for operation in self._operations:
            self._pa.operation_cancel(operation)
            self._pa.operation_unref(operation)
        self._operations, self._callbacks = [], []

    def _note_change(self, *_: Any) -> None:
        self.changed = True


class Recording:
    """A stream from a source that the server must not move to another one."""

    def __init__(self, library: Any, context: int, source: Source, fragment: float) -> None:
        self.channels = source.channels
        self._name = source.name
        self._pa = library
        self._frame = 2 * self.channels  # bytes
        self._most = round(LONGEST_HOLE * SAMPLE_RATE) * self._frame
        spec = pa.SampleSpec(pa.INT16, SAMPLE_RATE, self.channels)
        positions = pa.ChannelMap(self.channels)
        positions.map[: self.channels] = source.positions
        flags = pa.DONT_MOVE | pa.ADJUST_LATENCY | pa.NO_REMIX_CHANNELS
        buffers = pa.BufferAttr(*[pa.NONE] * 4, round(fragment * SAMPLE_RATE) * self._frame)
        self._stream = self._pa.stream_new(context, b"microphone", spec, positions)
        if self._stream is None:  # given to libpulse, it would end the process
            raise AudioError(
                f"the sound server describes {source.name!r} in a way that kwsd does not understand"
            )
        self._pa.stream_connect_record(self._stream, source.name.encode(), buffers, flags)

    @property
    def ready(self) -> bool:
        """Raises AudioError where the server does not allow it."""
        state: int = self._pa.stream_get_state(self._stream)
        if state >= pa.STREAM_FAILED:
            raise AudioError(f"the sound server does not record from {self._name!r}")
        return state == pa.STREAM_READY

    @property
    def lost(self) -> bool:
        """The server has ended it, or moved it to another source in spite of all."""
        state: int = self._pa.stream_get_state(self._stream)
        if state >= pa.STREAM_FAILED:
            return True
        name: bytes | None = self._pa.stream_get_device_name(self._stream)
        return name != self._name.encode()

    def read(self) -> tuple[bytes, int]:
        """All frames that have come, interleaved int16, and how many are missing, with zeros instead."""
        data, size = ctypes.c_void_p(), ctypes.c_size_t()
        came, missing = [], 0
        while self._pa.stream_peek(self._stream, data, size) == 0 and size.value:
            if data.value:
                came.append(ctypes.string_at(data.value, size.value))
            else:
                came.append(bytes(min(size.value, self._most)))
                missing += size.value // self._frame
            self._pa.stream_drop(self._stream)
        return b"".join(came), missing

    def close(self) -> None:
        """May be called once."""
        self._pa.stream_disconnect(self._stream)
        self._pa.stream_unref(self._stream)


def _source(info: Any) -> Source:
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
