"""What an open microphone makes of what a library's thread delivers, when it pleases."""

import numpy as np
import pytest

from kwsd.audio.capture import RING_SECONDS, START_TIMEOUT, Capture
from kwsd.errors import AudioError, UsageError


def capture(rate: int = 16_000, channels: int = 1, channel: int | None = None) -> Capture:
    return Capture("desk", "ALSA", rate, channels, channel)


def deliver(source: Capture, frames: np.ndarray) -> None:
    source._write(frames.astype(np.int16).tobytes())


def waits(source: Capture, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """From now on nothing comes; how long is waited for it."""
    waited: list[float] = []
    monkeypatch.setattr(
        source._ring, "read", lambda timeout: waited.append(timeout) or np.empty((0, 1), np.int16)
    )
    return waited


def test_16_khz_mono_is_given_as_it_is() -> None:
    source = capture()
    deliver(source, np.array([[100], [-200]]))
    deliver(source, np.array([[300]]))
    assert source.backlog == pytest.approx(3 / 16_000)
    assert (next(iter(source)) * 32768).tolist() == [100, -200, 300]


@pytest.mark.parametrize(("channel", "level"), [(None, 4_000), (1, 8_000), (2, 0)])
def test_other_rates_are_resampled_and_channels_mixed_or_chosen(channel: int | None, level: int) -> None:
    source = capture(48_000, 2, channel)
    tone = 8_000 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    given = []
    chunks = iter(source)
    for block in np.split(np.stack((tone, 0 * tone), axis=1), 20):
        deliver(source, block)
        given.append(next(chunks))
    samples = np.concatenate(given) * 32768
    assert 15_000 < len(samples) <= 16_000  # the resampler holds some back
    expected = level * np.sin(2 * np.pi * 440 * np.arange(len(samples)) / 16_000)
    np.testing.assert_allclose(samples[1_000:], expected[1_000:], atol=20)


def test_a_channel_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(UsageError, match="'desk' has no channel 3: it has 2 channels"):
        capture(channels=2, channel=3)


def test_what_the_library_and_the_ring_lose_is_counted() -> None:
    source = capture()
    block = np.zeros((16_000, 1))
    deliver(source, block)
    assert (source.overruns, source.dropped) == (0, 0)
    source._lose(0.5)
    deliver(source, block)
    assert (source.overruns, source.dropped) == (1, 0.5)
    for _ in range(round(RING_SECONDS)):
        deliver(source, block)
    assert source.backlog == RING_SECONDS
    assert len(next(iter(source))) == RING_SECONDS * 16_000
    assert (source.overruns, source.dropped) == (2, 2.5)
    assert source.backlog == 0


def test_one_that_ends_by_itself_is_an_error_and_stop_is_none() -> None:
    source = capture()
    source._ring.close()
    with pytest.raises(AudioError, match="'desk': was it unplugged"):
        list(source)
    source = capture()
    source.stop()
    assert list(source) == []


def test_one_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    source = capture()
    waited = waits(source, monkeypatch)
    with pytest.raises(AudioError, match="no more audio"):
        list(source)
    assert sum(waited) == START_TIMEOUT


def test_once_it_was_heard_a_second_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    source = capture()
    chunks = iter(source)
    deliver(source, np.zeros((800, 1)))
    next(chunks)
    waited = waits(source, monkeypatch)
    with pytest.raises(AudioError, match="no more audio"):
        next(chunks)
    assert sum(waited) == 1
