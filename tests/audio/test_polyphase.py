"""Resampling without soxr: what passes, what is rejected, and that the word is still heard."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd import Detector
from kwsd.audio.polyphase import Polyphase
from kwsd.audio.resample import Resampler
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.modelfile import find_model

SAMPLE = Path(__file__).parents[2] / "docs" / "sample.flac"
RATES = (48_000, 44_100, 96_000, 22_050)


def tone(frequency: float, rate: int) -> Samples:
    """Two seconds with an amplitude of 1."""
    return np.sin(2 * np.pi * frequency * np.arange(2 * rate) / rate).astype(np.float32)


def gain(frequency: float, rate: int) -> float:
    """dB that resampling to 16 kHz adds to a tone, away from its beginning and end."""
    resampled = Polyphase(rate).resample_chunk(tone(frequency, rate), last=True)[2_000:-2_000]
    return float(10 * np.log10(2 * np.mean(resampled.astype(np.float64) ** 2)))


@pytest.mark.parametrize("rate", [*RATES, 8_000, 11_025])
def test_speech_passes(rate: int) -> None:
    for frequency in (50, 440, 0.43 * min(rate, SAMPLE_RATE)):  # the last: 6.9 kHz of 8
        assert abs(gain(frequency, rate)) < 0.01


@pytest.mark.parametrize("rate", RATES)
def test_what_would_alias_is_rejected(rate: int) -> None:
    for frequency in (8_010, 8_500, 9_000, 10_500, rate / 2 - 100):
        assert gain(frequency, rate) < -85


@pytest.mark.parametrize("rate", [*RATES, 8_000, 15_999])
def test_chunks_of_any_length_make_the_whole(rate: int) -> None:
    random = np.random.default_rng(0)
    samples = random.standard_normal(rate // 2).astype(np.float32)
    whole = Polyphase(rate).resample_chunk(samples, last=True)
    assert len(whole) == -(-len(samples) * SAMPLE_RATE // rate)
    stream, parts, at = Polyphase(rate), [], 0
    while at < len(samples):
        length = int(random.integers(1, 1_500))
        parts.append(stream.resample_chunk(samples[at : at + length]))
        at += length
    parts.append(stream.resample_chunk(np.empty(0, np.float32), last=True))
    assert np.array_equal(np.concatenate(parts), whole)


def test_time_is_kept() -> None:
    click = np.zeros(48_000, np.float32)
    click[24_000] = 1
    assert Polyphase(48_000).resample_chunk(click, last=True).argmax() == 8_000


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_without_soxr_the_word_is_heard(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)  # as if it were not installed
    samples, _ = soundfile.read(SAMPLE, dtype="float32")
    length = len(samples) * rate // SAMPLE_RATE
    recorded = np.fft.irfft(np.fft.rfft(samples), length) * (rate / SAMPLE_RATE)
    resampler = Resampler(rate)
    blocks = [resampler.push(block) for block in np.array_split(recorded.astype(np.float32), 100)]
    heard = np.concatenate([*blocks, resampler.push(np.empty(0, np.float32), last=True)])

    def times(audio: Samples) -> list[float]:
        return [trigger.stream_time for trigger in Detector.load(find_model("jarvis")).feed(audio)]

    assert times(heard) == pytest.approx(times(samples), abs=0.1)
    assert len(times(heard)) == 2
