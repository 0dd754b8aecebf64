"""Files of many kinds, joined, cut, with wrong headers: all of it is heard, or a line says what is not."""

import io
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.audio.file import FileSource
from kwsd.audio.formats.joined import find
from kwsd.audio.formats.kinds import kind_of
from kwsd.audio.formats.mp3 import parse_frame
from kwsd.errors import AudioError, UsageError
from kwsd.pcm import SAMPLE_RATE, Samples, to_int16

FFMPEG = shutil.which("ffmpeg")
needs_ffmpeg = pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")


def tones(seconds: float = 2.0, rate: int = SAMPLE_RATE) -> Samples:
    """440 Hz, then 880 Hz, ever louder: an MP3 of it has frames of many sizes."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = np.where(time < seconds / 2, 440, 880)
    return (0.5 * time / seconds * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def hear(path: Path, channel: int | None = None) -> tuple[Samples, list[str]]:
    """What is heard of a file, and what is said of it: remarks, then the error at its end."""
    said: list[str] = []
    heard = [np.empty(0, np.float32)]
    try:
        with FileSource(path, channel, said.append) as source:
            heard.extend(chunk.samples for chunk in source)
    except AudioError as error:
        said.append(str(error))
    return np.concatenate(heard), said


def pitches(samples: Samples, seconds: float = 2.0) -> list[float]:
    """Hz of each half of every `seconds` of it."""
    half = round(seconds * SAMPLE_RATE / 2)
    return [
        round(np.abs(np.fft.rfft(part)).argmax() * SAMPLE_RATE / half, -1)
        for part in samples[: len(samples) // half * half].reshape(-1, half)
    ]


def encoded(samples: Samples, kind: str, subtype: str | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=kind, subtype=subtype, **options)
    return file.getvalue()


def wav(
    data: bytes, claimed: int, form: bytes | None = None, before: bytes = b"", after: bytes = b""
) -> bytes:
    """A WAV whose header claims this many bytes of data; 16-bit mono, where `form` does not say otherwise."""
    form = form or struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    body = b"WAVE" + before + chunk(b"fmt ", form) + b"data" + struct.pack("<I", claimed) + data + after
    return b"RIFF" + struct.pack("<I", len(body) % 2**32) + body


def chunk(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def rf64(data: bytes, claimed: int, name: bytes = b"RF64") -> bytes:
    """As `wav`, with its length in a chunk of its own."""
    sizes = chunk(b"ds64", struct.pack("<QQQI", claimed + 72, claimed, claimed // 2, 0))
    return name + b"\xff" * 4 + b"WAVE" + wav(data, 2**32 - 1, before=sizes)[12:]


DATA = to_int16(tones()).tobytes()
ID3 = b"ID3\x03\x00\x00\x00\x00\x02\x00" + bytes(256)


def mp3(xing: bool, seconds: float = 2.0) -> bytes:
    """With the frame that says how many there are, or without, as an encoder writes it to a pipe."""
    whole = encoded(tones(seconds), "MP3", bitrate_mode="VARIABLE", compression_level=0.3)
    first = parse_frame(whole)
    assert first
    assert b"Xing" in whole[: first.length]
    return whole if xing else whole[first.length :]


# a file, the number of times that the tones are heard in it, and what is said of it
WAVS = {
    "length 0": (wav(DATA, 0), 1, ""),
    "half the length": (wav(DATA, len(DATA) // 2), 1, "its header says 1.0 s, but there are 2.0 s"),
    "length of ffmpeg": (wav(DATA, 2**32 - 1), 1, ""),
    "length of SoX": (wav(DATA, 0x7FFFF000), 1, ""),
    "length of arecord": (wav(DATA, 2**31), 1, ""),
    "cut short": (wav(DATA, 2 * len(DATA)), 1, "is truncated: it has 2.0 of 4.0 s; get a new copy"),
    "no audio": (wav(b"", 0), 0, "contains no audio"),
    "no audio, but a name": (wav(b"", 0, after=chunk(b"LIST", b"INFO")), 0, "contains no audio"),
    "header only": (wav(b"", len(DATA)), 0, "contains no audio"),
    "a name behind": (wav(DATA, len(DATA), after=chunk(b"LIST", b"INFOINAM\4\0\0\0name")), 1, ""),
    "an unknown chunk behind": (wav(DATA, len(DATA), after=chunk(b"abcd", bytes(8000))), 1, ""),
    "a tag of MP3 behind": (wav(DATA, len(DATA), after=ID3 + bytes(9000)), 1, ""),
    "scraps behind": (wav(DATA, len(DATA), after=b"\1\2\3"), 1, ""),
    "a chunk before": (wav(DATA, len(DATA), before=chunk(b"JUNK", bytes(27))), 1, ""),
    "an odd chunk before, unpadded": (wav(DATA, len(DATA), before=chunk(b"JUNK", bytes(27))[:-1]), 1, ""),
    "RF64": (rf64(DATA, len(DATA)), 1, ""),
    "RF64, length 0": (rf64(DATA, 0), 1, ""),
    "RF64, cut short": (rf64(DATA, 2 * len(DATA)), 1, "is truncated: it has 2.0 of 4.0 s"),
    "BW64": (rf64(DATA, len(DATA), b"BW64"), 1, ""),
    "joined": (2 * wav(DATA, len(DATA)), 2, ""),
    "joined behind a name": (2 * wav(DATA, len(DATA), after=chunk(b"LIST", b"INFO")), 2, ""),
    "extensible": (
        wav(DATA, len(DATA), struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 16_000, 32_000, 2, 16, 22, 16, 4, 1)
            + bytes.fromhex("000000001000800000aa00389b71")),
        1,
        "",
    ),
    "float, length 0": (
        wav(tones().tobytes(), 0, struct.pack("<HHIIHH", 3, 1, SAMPLE_RATE, 4 * SAMPLE_RATE, 4, 32)), 1, ""
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WAVS)
def test_all_the_audio_of_a_wav_is_heard(tmp_path: Path, name: str) -> None:
    content, times, says = WAVS[name]
    (tmp_path / "it.bin").write_bytes(content)
    samples, said = hear(tmp_path / "it.bin")
    np.testing.assert_allclose(samples, np.tile(tones(), times), atol=2**-15)
    assert len(said) == bool(says)
    assert says in "".join(said)


def test_wavs_are_joined_by_the_thousand(tmp_path: Path) -> None:
    (tmp_path / "it.wav").write_bytes(2_000 * wav(DATA[:4], 4))
    samples, said = hear(tmp_path / "it.wav")
    assert (len(samples), said) == (4_000, [])


def test_a_wav_beyond_4_gib_is_heard_to_its_end(tmp_path: Path) -> None:
    """Its length is written modulo 2^32; the file has a hole."""
    path = tmp_path / "long.wav"
    form = struct.pack("<HHIIHH", 1, 16, 192_000, 192_000 * 32, 32, 16)  # 12 minutes
    length = 2**32 + 2**20
    with path.open("wb") as file:
        file.write(wav(b"", length % 2**32, form))
        file.truncate(file.tell() + length)
    with FileSource(path) as source:
        assert source._reader._sound.frames == length // 32  # type: ignore[union-attr]


# as above; an MP3 is heard with up to a tenth of a second of silence before it
MP3S = {
    "Xing": (mp3(True), 1),
    "no Xing": (mp3(False), 1),
    "joined": (2 * mp3(True), 2),
    "joined without Xing": (2 * mp3(False), 2),
    "joined behind a tag": (2 * (ID3 + mp3(True)), 2),
    "joined, one without": (mp3(True) + mp3(False), 2),
    "tags at its end": (ID3 + mp3(True) + b"TAG" + bytes(125), 1),
}


@pytest.mark.parametrize("name", MP3S)
def test_all_of_an_mp3_is_heard(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    content, times = MP3S[name]
    (tmp_path / "it.mp3").write_bytes(content)
    samples, said = hear(tmp_path / "it.mp3")
    assert len(samples) / SAMPLE_RATE == pytest.approx(2 * times, abs=0.11 * times)
    assert pitches(samples[-32_000:]) == [440, 880]
    assert pitches(samples[:32_000]) == [440, 880]
    assert said == []
    assert capfd.readouterr().err == ""


def test_a_radios_capture_begins_within_a_frame(tmp_path: Path) -> None:
    (tmp_path / "it.mp3").write_bytes(mp3(False)[100:])
    samples, said = hear(tmp_path / "it.mp3")
    assert len(samples) / SAMPLE_RATE == pytest.approx(2, abs=0.15)
    assert said == []


def test_an_mp3_that_is_cut_or_damaged_is_heard_and_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = mp3(True, 8.0)
    third = len(whole) // 3
    (tmp_path / "cut.mp3").write_bytes(whole[: 2 * third])
    noise = np.random.default_rng(0).bytes(1000)
    (tmp_path / "damaged.mp3").write_bytes(whole[:third] + noise + whole[third + 1000 :])
    for name in ("cut.mp3", "damaged.mp3"):
        samples, (said,) = hear(tmp_path / name)
        assert f"{name}' is truncated: it has {len(samples) / SAMPLE_RATE:.1f} of 8.1 s" in said
        assert len(samples) > 4 * SAMPLE_RATE
    assert pitches(samples[-32_000:]) == [880, 880]
    assert capfd.readouterr().err == ""  # libmpg123 complains of each damaged frame


@pytest.mark.parametrize(("kind", "subtype"), [("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", None)])
def test_all_of_a_joined_file_is_heard(tmp_path: Path, kind: str, subtype: str | None) -> None:
    (tmp_path / "joined").write_bytes(3 * encoded(tones(), kind, subtype))
    samples, said = hear(tmp_path / "joined")
    assert len(samples) == pytest.approx(3 * 2 * SAMPLE_RATE, abs=300)
    assert pitches(samples) == 3 * [440, 880]
    assert said == []


SIZED = {
    "AIFF": ("AIFF", "LITTLE"),
    "AU": ("AU", "FILE"),
    "W64": ("W64", "FILE"),
    "CAF": ("CAF", "FILE"),
    "RIFX": ("WAV", "BIG"),
}


def sized(name: str) -> bytes:
    """The tones in a file of this kind, which says where it ends."""
    kind, endian = SIZED[name]
    return encoded(tones(), kind, "PCM_16", endian=endian)


@pytest.mark.parametrize("name", SIZED)
def test_joined_files_that_say_where_they_end_are_all_heard(tmp_path: Path, name: str) -> None:
    (tmp_path / "joined").write_bytes(3 * sized(name))
    samples, said = hear(tmp_path / "joined")
    np.testing.assert_allclose(samples, np.tile(tones(), 3), atol=2**-15)
    assert said == []


@pytest.mark.parametrize("name", SIZED)
def test_a_file_that_says_where_it_ends_and_is_cut_off_is_heard_and_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "cut").write_bytes(sized(name)[:-32_000])
    samples, (said,) = hear(tmp_path / "cut")
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=8)
    assert said.endswith("cut': it is truncated; kwsd reads what is left of it")


def test_what_is_behind_the_end_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "less.au").write_bytes(
        struct.pack(">4s5I", b".snd", 24, 32_000, 3, SAMPLE_RATE, 1) + 2 * DATA
    )
    samples, (said,) = hear(tmp_path / "less.au")
    assert len(samples) == SAMPLE_RATE
    assert said.endswith("less.au': it has 96,000 bytes more than its header says, which are not read")


@pytest.mark.parametrize(("name", "length"), [("W64", b"\xff" * 7 + b"\x7f"), ("RIFX", bytes(4))])
def test_a_file_whose_writer_did_not_know_its_length_is_heard(
    tmp_path: Path, name: str, length: bytes
) -> None:
    content = bytearray(sized(name))
    at = content.index(b"data") + (16 if name == "W64" else 4)
    content[at : at + len(length)] = length
    (tmp_path / "it").write_bytes(content)
    samples, said = hear(tmp_path / "it")
    np.testing.assert_allclose(samples, tones(), atol=2**-15)
    assert said == []


@pytest.mark.parametrize(
    ("claimed", "says"), [(0, ""), (16_000, "its header says 1.0 s, but there are 2.0 s")]
)
def test_a_flac_is_heard_beyond_the_length_that_it_gives(tmp_path: Path, claimed: int, says: str) -> None:
    content = bytearray(encoded(tones(), "FLAC"))
    content[22:26] = struct.pack(">I", claimed)
    (tmp_path / "it.flac").write_bytes(content)
    samples, said = hear(tmp_path / "it.flac")
    np.testing.assert_allclose(samples, tones(), atol=2**-15)
    assert len(said) == bool(says)
    assert says in "".join(said)


def test_floats_that_are_not_scaled_like_audio_are_said(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "it.wav", tones() * 1000, SAMPLE_RATE, subtype="FLOAT")
    (said,) = hear(tmp_path / "it.wav")[1]
    assert said.endswith("it.wav' are far above full scale: floats must be between -1 and 1")


def test_files_of_several_rates_and_channel_counts_are_joined(tmp_path: Path) -> None:
    parts = io.BytesIO()
    for rate, channels in ((48_000, 2), (16_000, 1), (44_100, 1)):
        part = io.BytesIO()
        frames = np.repeat(tones(rate=rate)[:, None], channels, axis=1)
        soundfile.write(part, frames, rate, format="FLAC")
        parts.write(part.getvalue())
    (tmp_path / "joined.flac").write_bytes(parts.getvalue())
    samples, said = hear(tmp_path / "joined.flac")
    assert len(samples) == pytest.approx(3 * 2 * SAMPLE_RATE, abs=30)
    assert pitches(samples) == 3 * [440, 880]
    assert said == []


def test_a_joined_file_with_a_damaged_part_is_heard_and_said(tmp_path: Path) -> None:
    good = encoded(tones(), "FLAC")
    (tmp_path / "joined.flac").write_bytes(good + good[: len(good) // 2] + good)
    samples, (said,) = hear(tmp_path / "joined.flac")
    assert pitches(samples[:32_000]) == pitches(samples[-32_000:]) == [440, 880]
    assert "joined.flac" in said


@pytest.mark.parametrize("block", [1, 3, 1 << 20])
def test_find_sees_every_place(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr("kwsd.audio.formats.joined.BLOCK_BYTES", block)
    file = io.BytesIO(b"ab..abcab" + b"ab")
    assert list(find(file, b"ab", 4)) == [(0, b"ab.."), (4, b"abca"), (7, b"abab"), (9, b"ab")]


@pytest.mark.parametrize("name", ["it.raw", "it.RAW", "it.pcm"])
def test_raw_audio_is_told_where_to_go(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(DATA)
    _, (said,) = hear(tmp_path / name)
    assert f"{name}' as audio: Format not recognised" in said
    assert "for raw audio use kwsd listen --input - <" in said
    (tmp_path / name).write_bytes(encoded(tones(), "FLAC"))
    assert hear(tmp_path / name)[1] == []


def test_a_name_may_be_any_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.flac")
    try:
        Path(name).write_bytes(encoded(tones(), "FLAC"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    samples, said = hear(Path(name))
    assert (len(samples), said) == (32_000, [])


def test_a_channel_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "it.wav"
    tone = tones()
    soundfile.write(path, np.stack((tone, -tone), axis=1), SAMPLE_RATE)
    (said,) = hear(path)[1]
    assert "cancel each other out (one is inverted), and kwsd listens to their mean: choose one with" in said
    samples, said_of_one = hear(path, channel=2)
    np.testing.assert_allclose(samples, -tone, atol=2**-15)
    assert said_of_one == []
    with pytest.raises(UsageError, match=r"'.*' has no channel 3: it has 2 channels"):
        FileSource(path, 3)


def convert(path: Path, *options: str) -> bytes:
    """The tones as ffmpeg writes them to a file of this name."""
    assert FFMPEG
    source = path.with_suffix(".flac")
    source.write_bytes(encoded(tones(), "FLAC"))
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", "-i", source, *options, "file:" + str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path.read_bytes()


@needs_ffmpeg
@pytest.mark.parametrize("suffix", ["m4a", "mka", "aac", "wma", "wv", "tta", "avi", "oga"])
def test_what_libsndfile_does_not_read_goes_through_ffmpeg(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tones.{suffix}"
    convert(path)
    samples, said = hear(path)
    assert len(samples) == pytest.approx(32_000, abs=4_000)
    assert pitches(samples[:32_000].copy() if len(samples) >= 32_000 else np.resize(samples, 32_000)) == [
        440,
        880,
    ]
    assert said == []


@needs_ffmpeg
@pytest.mark.parametrize("name", ["-i.m4a", "http:x.m4a", "concat:a|b.m4a", "%d.m4a", "a b'c.m4a"])
def test_a_hostile_name_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    content = convert(tmp_path / "it.m4a")
    Path(name).write_bytes(content)
    samples, said = hear(Path(name))
    assert (len(samples) > 30_000, said) == (True, [])


@needs_ffmpeg
@pytest.mark.parametrize(
    "content", ["ffconcat version 1.0\nfile other.wav\n", "#EXTM3U\n#EXTINF:2,\nother.wav\n"]
)
def test_a_file_that_names_others_is_not_followed(tmp_path: Path, content: str) -> None:
    soundfile.write(tmp_path / "other.wav", tones(), SAMPLE_RATE)
    (tmp_path / "list.m3u8").write_text(content)
    samples, (said,) = hear(tmp_path / "list.m3u8")
    assert not len(samples)
    assert "list.m3u8' as audio: Format not recognised; kwsd reads WAV" in said


@needs_ffmpeg
def test_what_ffmpeg_does_not_hear_is_said(tmp_path: Path) -> None:
    whole = convert(tmp_path / "it.m4a", "-movflags", "faststart")
    (tmp_path / "cut.m4a").write_bytes(whole[: len(whole) // 2])
    samples, (said,) = hear(tmp_path / "cut.m4a")
    assert 0 < len(samples) < 30_000
    assert (
        f"cut.m4a' was read up to {len(samples) / SAMPLE_RATE:.1f} s, perhaps not to its end: ffmpeg says: "
        in said
    )
    whole = convert(tmp_path / "it.m4a")  # what it holds is told at its end
    (tmp_path / "head.m4a").write_bytes(whole[: len(whole) // 2])
    _, (said,) = hear(tmp_path / "head.m4a")
    assert "head.m4a' as audio: ffmpeg says: " in said
    assert "\n" not in said


@needs_ffmpeg
def test_a_film_without_sound_holds_no_audio(tmp_path: Path) -> None:
    convert(tmp_path / "it.mkv", "-f", "lavfi", "-i", "testsrc=d=0.2", "-map", "1:v", "-c:v", "mpeg4")
    assert hear(tmp_path / "it.mkv")[1] == [
        f"{str(tmp_path / 'it.mkv')!r} contains no audio: record it again"
    ]


def test_without_ffmpeg_a_line_says_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "it.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(500))
    _, (said,) = hear(tmp_path / "it.m4a")
    assert said.endswith("it.m4a' (MP4 or M4A) needs ffmpeg: sudo apt install ffmpeg")


@pytest.mark.parametrize(("end", "code"), [("kill -9 $$", -9), ("exit 3", 3), ("exit 0", 0)])
def test_the_death_of_ffmpeg_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, code: int
) -> None:
    """This ffmpeg writes half a second of audio and ends."""
    (tmp_path / "it.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(500))
    form = struct.pack("<HHIIHH", 3, 1, SAMPLE_RATE, 4 * SAMPLE_RATE, 4, 32)
    (tmp_path / "audio").write_bytes(wav(tones(0.5).tobytes(), 2**32 - 1, form))
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/audio\n{end}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    samples, said = hear(tmp_path / "it.m4a")
    np.testing.assert_array_equal(samples, tones(0.5))
    ended = f"read up to 0.5 s, perhaps not to its end: ffmpeg ended with exit code {code}"
    assert [ended in line for line in said] == [True] * bool(code)


def test_every_kind_is_known_by_its_beginning() -> None:
    assert kind_of(mp3(False)) == kind_of(mp3(True)) == "MP3"
    assert kind_of(mp3(False)[:50]) is None
    assert kind_of(b"\xff\xfb" + bytes(10_000)) is None  # a quiet sample, then silence
    assert kind_of(DATA) is None
    assert kind_of(encoded(tones(), "CAF")) == "CAF"
    assert kind_of(encoded(tones(), "AU")) == "AU"
    assert kind_of(encoded(tones(), "W64")) == "W64"
    assert kind_of(encoded(tones(), "AIFF")) == "AIFF"


def test_a_device_error_in_the_middle_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "it.wav"
    soundfile.write(path, tones(), SAMPLE_RATE)
    with FileSource(path) as source:
        chunks = iter(source)
        next(chunks)
        file = source._reader._file  # type: ignore[union-attr]

        class Broken:
            def seek(self, at: int) -> None: ...

            def read(self, _count: int) -> bytes:
                raise OSError(5, "Input/output error")

            def close(self) -> None:
                file.close()

        monkeypatch.setattr(source._reader._part_file, "_file", Broken())  # type: ignore[union-attr]
        with pytest.raises(AudioError, match=r"beyond 0\.. s: Input/output error; it is damaged"):
            list(chunks)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_an_ogg_file_that_is_cut_off_says_so(tmp_path: Path, subtype: str) -> None:
    whole = encoded(np.tile(tones(), 20), "OGG", subtype)
    (tmp_path / "it.ogg").write_bytes(whole[: len(whole) * 2 // 3])
    samples, said = hear(tmp_path / "it.ogg")
    assert 16 * SAMPLE_RATE < len(samples) < 30 * SAMPLE_RATE
    assert said == [f"{str(tmp_path / 'it.ogg')!r}: it is truncated; kwsd reads what is left of it"]


@needs_ffmpeg
def test_where_libsndfile_hears_nothing_ffmpeg_is_asked(tmp_path: Path) -> None:
    """An AU file whose writer was ended says that it has no audio."""
    content = bytearray(encoded(tones(), "AU"))
    struct.pack_into(">I", content, 8, 0)
    (tmp_path / "it.au").write_bytes(content)
    samples, said = hear(tmp_path / "it.au")
    assert (len(samples), said) == (32_000, [])
