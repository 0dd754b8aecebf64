from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.audio.file import FileSource
from kwsd.errors import AudioError, UsageError

TONE = 440.0  # Hz


def read(path: Path) -> np.ndarray:
    with FileSource(path) as source:
        return np.concatenate([chunk.samples for chunk in source])


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "FLOAT"), ("flac", "PCM_24"), ("ogg", "VORBIS")])
def test_any_rate_and_format_gives_the_mean(tmp_path: Path, rate: int, suffix: str, subtype: str) -> None:
    """Three channels: a tone, silence and the tone again."""
    time = np.arange(rate) / rate
    tone = 0.6 * np.sin(2 * np.pi * TONE * time)
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, np.stack((tone, 0 * tone, tone), axis=1), rate, subtype=subtype)
    samples = read(path)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(16_000, abs=1)
    expected = 0.4 * np.sin(2 * np.pi * TONE * np.arange(len(samples)) / 16_000)
    middle = slice(1_000, -1_000)  # a resampler rings at the ends
    np.testing.assert_allclose(samples[middle], expected[middle], atol=0.02)


def test_16_khz_mono_is_given_as_it_is(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 30_001).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    np.testing.assert_array_equal(read(tmp_path / "a.wav") * 32768, samples)


def test_numbers_that_are_none_are_silence(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([0.5, np.nan, 0.25], np.float32), 16_000, subtype="FLOAT")
    assert read(tmp_path / "a.wav").tolist() == [0.5, 0, 0.25]


def test_it_stops(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(160_000), 16_000)
    with FileSource(tmp_path / "a.wav") as source:
        chunks = iter(source)
        next(chunks)
        source.stop()
        assert list(chunks) == []


def test_a_file_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, np.random.default_rng(0).uniform(-1, 1, 80_000), 16_000)
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(AudioError, match=r"a\.flac' (as audio|is truncated)"):  # the latter: libsndfile 1.2.0
        read(path)


def test_what_is_no_file_is_a_usage_error(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "nosuch.wav", "there is no file"), (tmp_path, "it is a folder")):
        with pytest.raises(UsageError, match=says):
            FileSource(path)
