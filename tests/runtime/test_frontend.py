import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR, FrontEnd


def noise(count: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).normal(size=count)).astype(np.float32)


def test_equals_torchaudio() -> None:
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchaudio.transforms")
    mel = transforms.MelSpectrogram(SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, center=False)
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tone = (0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32)
    for samples in (noise(SAMPLE_RATE), tone + noise(SAMPLE_RATE), 1e-3 * noise(SAMPLE_RATE), 0 * tone):
        expected = mel(torch.from_numpy(samples)).clamp(min=POWER_FLOOR).log().T.numpy()
        np.testing.assert_allclose(FrontEnd().push(samples), expected, atol=1e-4)


def test_it_is_that_of_the_models_in_plain_numbers() -> None:
    assert (SAMPLE_RATE, N_FFT, HOP, N_MELS, POWER_FLOOR) == (16_000, 400, 160, 40, 1e-6)


def test_a_tone_lights_its_band() -> None:
    def loudest_band(frequency: float) -> int:
        tone = np.sin(2 * np.pi * frequency * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
        bands = FrontEnd().push(tone).mean(axis=0).argsort()
        return int(bands[-1])

    # centres of the HTK mel scale's bands: 2595 log10(1 + f / 700), 41 equal parts up to 8 kHz
    for band in (5, 20, 35):
        mel = (band + 1) * 2595 * np.log10(1 + 8000 / 700) / 41
        assert loudest_band(700 * (10 ** (mel / 2595) - 1)) == band


@given(st.lists(st.integers(0, 1000), max_size=12), st.integers(0, 9))
def test_any_chunking_gives_the_same_frames(sizes: list[int], seed: int) -> None:
    samples = noise(sum(sizes), seed)
    front_end = FrontEnd()
    chunks = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    frames = [front_end.push(chunk) for chunk in chunks]
    whole = FrontEnd().push(samples)
    np.testing.assert_allclose(np.concatenate([np.empty((0, N_MELS)), *frames]), whole, atol=1e-5)
    assert len(whole) == max(0, (len(samples) - N_FFT) // HOP + 1)


def test_reset_forgets() -> None:
    front_end = FrontEnd()
    first = front_end.push(noise(1000))
    front_end.reset()
    np.testing.assert_array_equal(front_end.push(noise(1000)), first)


def test_frames_are_the_callers_own() -> None:
    front_end = FrontEnd()
    first = front_end.push(noise(1000))
    kept = first.copy()
    front_end.push(noise(1000, seed=1))
    np.testing.assert_array_equal(first, kept)
