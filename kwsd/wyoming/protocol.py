"""Reads and writes messages of the Wyoming protocol.

A message is a line of JSON, then further JSON and then a payload, whose lengths the line gives. The
`wyoming` package reads messages of any length, one line at a time through asyncio's streams, which takes
most of a server's CPU time. This reader limits every part, and takes many messages at once.
"""

import io
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from wyoming.event import Event, write_event

from kwsd.errors import shown

MAX_JSON_BYTES = 65_536  # of the line, and of the further JSON
MAX_PAYLOAD_BYTES = 1_048_576  # 32 s of 16-bit mono at 16 kHz, more than any client sends at a time


class ProtocolError(Exception):
    """A client sent something that is not a message, or not a valid one. Its text is one line."""


class Message(NamedTuple):
    """A message from a client."""

    type: str
    data: dict[str, Any]
    payload: bytes


class _Header(NamedTuple):
    """What the line of a message says."""

    type: str
    data: dict[str, Any]
    data_length: int
    payload_length: int


class MessageReader:
    """Splits the bytes that a client sends into messages."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._header: _Header | None = None

    @property
    def inside(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._received) or self._header is not None

    def push(self, received: bytes | memoryview) -> Iterator[Message]:
        """The messages that the next bytes complete. Raises ProtocolError."""
        self._received += received
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> Message | None:
        """The next message, or None if it is not complete."""
        received = self._received
        if self._header is None:
            end = received.find(b"\n", 0, MAX_JSON_BYTES)
            if end < 0:
                if len(received) >= MAX_JSON_BYTES:
                    raise ProtocolError(f"no message within {MAX_JSON_BYTES:,} bytes")
                return None
            self._header = _header(received[:end])
            del received[: end + 1]
        kind, data, data_length, payload_length = self._header
        if len(received) < data_length + payload_length:
            return None
        if data_length:
            data = data | _object(received[:data_length], "the data of a message")
        payload = bytes(received[data_length : data_length + payload_length])
        del received[: data_length + payload_length]
        self._header = None
        return Message(kind, data, payload)


def encoded(event: Event) -> bytes:
    """The bytes of a message."""
    buffer = io.BytesIO()
    write_event(event, buffer)
    return buffer.getvalue()


def _header(line: bytearray) -> _Header:
    header = _object(line, "a message")
    kind, data = header.get("type"), header.get("data") or {}
    if not isinstance(kind, str) or not isinstance(data, dict):
        raise ProtocolError(f"not a message: {shown(bytes(line))}")
    return _Header(
        kind,
        data,
        _length(header, "data_length", MAX_JSON_BYTES),
        _length(header, "payload_length", MAX_PAYLOAD_BYTES),
    )


def _length(header: dict[str, Any], name: str, limit: int) -> int:
    value = header.get(name)
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= limit:
        raise ProtocolError(f"{name} must be a number of bytes up to {limit:,}, not {shown(value)}")
    return value


def _object(text: bytearray, what: str) -> dict[str, Any]:
    """The JSON object that a text holds. Raises ProtocolError."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):  # RecursionError: nested too deep
        raise ProtocolError(f"not {what}: {shown(bytes(text))}") from None
    if not isinstance(value, dict):
        raise ProtocolError(f"not {what}: {shown(bytes(text))}")
    return value
