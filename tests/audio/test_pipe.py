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

from kwsd.audio.formats.mp3 import parse_frame
from kwsd.audio.pipe import PipeSource, header_size, is_stereo, other_format
from kwsd.errors import UsageError
from kwsd.pcm import to_int16


def chunk(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def wav_header(
    rate: int = 16_000, channels: int = 1, bits: int = 16, extra: bytes = b"", tag: int = 1
) -> bytes:
    """As arecord writes it to a pipe, not knowing how much will come."""
    form = struct.pack(
        "<HHIIHH", tag, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits
    )
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
        return np.concatenate([np.empty(0, np.float32), *(chunk.samples for chunk in source)])


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
    assert "in the middle of a sample" in caplog.text


@pytest.mark.parametrize(("rate", "channels", "bits"), [(8_000, 1, 8), (44_100, 1, 16), (16_000, 2, 16)])
def test_a_wav_of_another_kind_is_refused(rate: int, channels: int, bits: int) -> None:
    with pytest.raises(UsageError, match=f"a WAV of {rate} Hz, {channels} channels, {bits} bits"):
        header_size(wav_header(rate, channels, bits))


def test_what_comes_later_is_waited_for_and_stop_ends_the_wait() -> None:
    read, write = os.pipe()
    with PipeSource(read) as source:
        chunks = iter(source)
        os.write(write, b"\0\x40")
        assert next(chunks).samples.tolist() == [0.5]
        stopper = threading.Timer(0.05, source.stop)
        stopper.start()
        assert list(chunks) == []
        stopper.join()
    os.close(read)
    os.close(write)


def test_a_wav_of_floats_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"16000 Hz, 1 channels, 32 bits \(float\); kwsd expects 16 kHz mono int16"
    ):
        header_size(wav_header(bits=32, tag=3))
    with pytest.raises(UsageError, match=r"16 bits \(codec 17\)"):
        header_size(wav_header(tag=17))


@pytest.mark.parametrize(("tag", "bits"), [(1, 16), (3, 32)])
def test_an_extensible_wav_is_what_it_holds(tag: int, bits: int) -> None:
    form = struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 16_000, 2 * bits * 1_000, bits // 8, bits, 22, bits, 4, tag)
    guid = bytes.fromhex("000000001000800000aa00389b71")
    header = b"RIFF\xff\xff\xff\xffWAVE" + chunk(b"fmt ", form + guid) + b"data\xff\xff\xff\xff"
    if tag == 1:
        assert header_size(header) == len(header)
        assert {header_size(header[:end]) for end in range(len(header))} == {None}
    else:
        with pytest.raises(UsageError, match="32 bits"):
            header_size(header)


MP3_FRAME = b"\xff\xfb\x90\x64".ljust(417, b"\0")  # 128 kbit/s, 44.1 kHz
AAC_FRAME = b"\xff\xf1\x50\x80\x20\x1f\xfc".ljust(256, b"\0")
AC3_FRAME = b"\x0b\x77\0\0\x14\x40".ljust(768, b"\0")  # 192 kbit/s, 48 kHz
FILES = {
    "FLAC": b"fLaC",
    "Ogg": b"OggS",
    "MP3 behind a tag": b"ID3\3\0",
    "MP3": 2 * MP3_FRAME,
    "AAC": 2 * AAC_FRAME,
    "AC-3": 2 * AC3_FRAME,
    "MP4": b"\0\0\0\x20ftypisom",
    "WebM": b"\x1a\x45\xdf\xa3",
    "AMR": b"#!AMR\n",
    "AU": b".snd",
    "big-endian WAV": b"RIFX\0\0\0\0WAVE",
    "RF64": b"RF64",
    "WMA": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
    "AIFF": b"FORM",
    "CAF": b"caff",
    "W64": b"riff\x2e\x91\xcf\x11",
    "AVI": b"RIFF\0\0\0\0AVI ",
    "MPEG-TS": 3 * b"G".ljust(188, b"\0"),
    "WavPack": b"wvpk",
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_file_of_another_kind_is_refused(name: str, step: int) -> None:
    """However little of it comes at a time."""
    content = FILES[name] + bytes(10_000)
    with pytest.raises(UsageError, match="standard input is an audio file, not raw audio: kwsd"):
        heard([content[start : start + step] for start in range(0, len(content), step)])


def test_raw_audio_that_begins_as_a_file_does_is_heard() -> None:
    assert parse_frame(MP3_FRAME)
    for head in (MP3_FRAME, AAC_FRAME, AC3_FRAME, b"G", b"\0\0\0\x20", b"RI", b"ID"):
        for length in (len(head), 20_000):
            assert len(heard([head.ljust(length, b"\0")])) == max(len(head), length) // 2


def test_two_channels_are_not_taken_for_one(caplog: pytest.LogCaptureFixture) -> None:
    random = np.random.default_rng(0)
    voice = np.convolve(random.normal(0, 0.1, 60_000), np.ones(8) / 8, "same")
    other = np.convolve(random.normal(0, 0.1, 60_000), np.ones(8) / 8, "same")
    assert not is_stereo(to_int16(voice))
    assert not is_stereo(to_int16(random.normal(0, 0.1, 60_000)))
    assert not is_stereo(np.zeros(60_000, np.int16))
    for right in (voice, 0.8 * voice, 0 * voice, other):
        assert is_stereo(to_int16(np.stack((voice, right), axis=1).ravel()))
    with caplog.at_level(logging.WARNING):
        heard([to_int16(voice).tobytes()])
        assert not caplog.text
        heard([to_int16(voice.repeat(2)).tobytes()])
    assert caplog.text.count("standard input sounds like two channels") == 1


def test_samples_of_another_format_are_known() -> None:
    random = np.random.default_rng(0)
    voice = np.convolve(random.normal(0, 0.3, 60_000), np.ones(8) / 8, "same")
    samples = to_int16(voice)
    wide = samples * np.int32(65_536) + random.integers(0, 65_536, len(samples), np.int32)
    assert other_format(samples) is None
    assert other_format(to_int16(random.normal(0, 0.3, 60_000))) is None
    assert other_format(random.integers(-1, 2, 60_000).astype(np.int16)) is None
    assert other_format(samples.byteswap()) == "big-endian samples"
    assert other_format(voice.astype("<f4").view("<i2")) == "32-bit floats"
    assert other_format(wide.astype("<i4").view("<i2")) == "32-bit samples"


def test_big_endian_samples_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    voice = np.convolve(np.random.default_rng(0).normal(0, 0.3, 60_000), np.ones(8) / 8, "same")
    with caplog.at_level(logging.WARNING):
        heard([to_int16(voice).byteswap().tobytes()])
    assert caplog.text.count("standard input sounds like big-endian samples; kwsd expects 16 kHz") == 1
