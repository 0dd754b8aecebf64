import itertools
import logging
import os
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.audio.pipe import PipeSource, header_size
from kwsd.errors import UsageError


def chunk(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav_header(rate: int = 16_000, channels: int = 1, bits: int = 16, extra: bytes = b"") -> bytes:
    """As arecord writes it to a pipe, not knowing how much will come."""
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
    chunks = chunk(b"LIST", extra) + chunk(b"fmt ", form) + b"data" + struct.pack("<I", 0xFFFFFFFF)
    return b"RIFF" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE" + chunks


class Parts(PipeSource):
    """A pipe that gives what it is told, in just these blocks."""

    def __init__(self, parts: list[bytes]) -> None:
        read, self._write = os.pipe()
        super().__init__(read)
        self._parts = parts

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        os.close(self._descriptor)
        os.close(self._write)

    def _blocks(self) -> Iterator[bytes]:
        return iter(self._parts)


def heard(parts: list[bytes]) -> np.ndarray:
    with Parts(parts) as source:
        return np.concatenate([np.empty(0, np.float32), *source])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@given(
    st.lists(st.integers(-(2**15), 2**15 - 1), max_size=200),
    st.one_of(st.just(b""), st.binary(max_size=20).map(lambda extra: wav_header(extra=extra))),
    st.lists(st.integers(min_value=0), max_size=10),
)
def test_any_cut_of_the_stream_gives_the_same_samples(
    values: list[int], header: bytes, places: list[int]
) -> None:
    samples = np.array(values, "<i2")
    given = heard(cut(header + samples.tobytes(), places))
    np.testing.assert_array_equal(given * 32768, samples)


def test_an_odd_byte_at_the_end_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert len(heard([b"\1\0\2"])) == 1
    assert "inside a sample" in caplog.text


@pytest.mark.parametrize(("rate", "channels", "bits"), [(8_000, 1, 8), (44_100, 1, 16), (16_000, 2, 16)])
def test_a_wav_of_another_kind_is_refused(rate: int, channels: int, bits: int) -> None:
    with pytest.raises(UsageError, match=f"a WAV of {rate} Hz, {channels} channels, {bits} bits"):
        header_size(wav_header(rate, channels, bits))


def test_what_comes_later_is_waited_for_and_stop_ends_the_wait() -> None:
    read, write = os.pipe()
    with PipeSource(read) as source:
        chunks = iter(source)
        os.write(write, b"\0\x40")
        assert next(chunks).tolist() == [0.5]
        stopper = threading.Timer(0.05, source.stop)
        stopper.start()
        assert list(chunks) == []
        stopper.join()
    os.close(read)
    os.close(write)
