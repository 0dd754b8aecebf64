"""Messages in pieces of any size, and the limits of every part."""

import io
import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wyoming.event import Event, write_event

from kwsd.wyoming.protocol import MAX_JSON_BYTES, MAX_PAYLOAD_BYTES, MessageReader, ProtocolError, encoded

JSON = st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3)
EVENTS = st.builds(Event, st.text(min_size=1, max_size=9), JSON, st.binary(max_size=50))


@settings(max_examples=30)
@given(events=st.lists(EVENTS, max_size=5), sizes=st.lists(st.integers(1, 99), min_size=1, max_size=5))
def test_messages_are_read_in_pieces_of_any_size(events: list[Event], sizes: list[int]) -> None:
    stream = io.BytesIO()
    for event in events:
        write_event(event, stream)
    sent, reader, messages = stream.getvalue(), MessageReader(), []
    while sent:
        for size in sizes:
            messages += reader.push(sent[:size])
            sent = sent[size:]
    assert [tuple(message) for message in messages] == [(e.type, e.data, e.payload or b"") for e in events]
    assert not reader.inside


def test_data_may_be_in_the_line_and_after_it() -> None:
    (message,) = MessageReader().push(b'{"type": "x", "data": {"a": 1, "b": 1}, "data_length": 8}\n{"b": 2}')
    assert message == ("x", {"a": 1, "b": 2}, b"")


def test_an_answer_is_what_the_wyoming_package_writes() -> None:
    (message,) = MessageReader().push(encoded(Event("pong", {"text": "ä"})))
    assert message == ("pong", {"text": "ä"}, b"")


@given(st.binary(max_size=300))
def test_nothing_but_a_protocol_error_comes_of_rubbish(received: bytes) -> None:
    with suppress(ProtocolError):
        list(MessageReader().push(received + b"\n"))


def header(**lengths: int) -> bytes:
    return json.dumps({"type": "x", **lengths}).encode() + b"\n"


def test_the_largest_message_is_taken_and_one_byte_more_is_not() -> None:
    payload = bytes(MAX_PAYLOAD_BYTES)
    (message,) = MessageReader().push(header(payload_length=1_048_576) + payload)
    assert len(message.payload) == 1_048_576
    for lengths in ({"payload_length": 1_048_577}, {"data_length": 65_537}):
        with pytest.raises(ProtocolError):
            list(MessageReader().push(header(**lengths)))
    reader = MessageReader()
    assert list(reader.push(b" " * (MAX_JSON_BYTES - 1))) == []
    with pytest.raises(ProtocolError):
        list(reader.push(b" "))
