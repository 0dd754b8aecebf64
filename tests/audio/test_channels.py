"""Several channels made one, and the faults of their mean."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.audio.channels import Mixer
from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, Samples

random = np.random.default_rng(0)


def noise(decibels: float, seconds: float = 7.0) -> Samples:
    return random.normal(0, 10 ** (decibels / 20), round(seconds * SAMPLE_RATE)).astype(np.float32)


def syllables(seed: int) -> Samples:
    """7 s of what has the level of speech: bursts of a fifth of a second at -20 dB, and pauses."""
    on = np.random.default_rng(seed).random(35) < 0.4
    return noise(-20) * np.repeat(on, SAMPLE_RATE // 5).astype(np.float32) + noise(-60)


def mixed(*channels: Samples, channel: int | None = None, block: int = 4_000) -> tuple[Samples, list[str]]:
    """The mono of these channels, and what was warned of."""
    warnings: list[str] = []
    mixer = Mixer("it", len(channels), SAMPLE_RATE, channel, warnings.append)
    frames = np.stack(channels, axis=1)
    parts = [mixer.push(frames[start : start + block]) for start in range(0, len(frames), block)]
    mixer.finish()
    return np.concatenate(parts), warnings


ROWS = st.integers(1, 5).flatmap(
    lambda count: st.lists(st.lists(st.floats(-1, 1, width=32), min_size=count, max_size=count), min_size=1)
)


@given(ROWS, st.integers(1, 7))
def test_the_mean_or_the_chosen_channel_however_the_stream_is_cut(
    values: list[list[float]], block: int
) -> None:
    channels = list(np.array(values, np.float32).T)
    mean, _ = mixed(*channels, block=block)
    np.testing.assert_allclose(mean, np.mean(channels, axis=0), atol=1e-6)
    for number, channel in enumerate(channels, 1):
        np.testing.assert_array_equal(mixed(*channels, channel=number, block=block)[0], channel)


@pytest.mark.parametrize("gain", [1, 0.7, 1.4])
def test_channels_that_cancel_are_reported_once(gain: float) -> None:
    voice = np.concatenate((syllables(1), syllables(2)))
    _, warnings = mixed(voice, np.float32(-gain) * voice)
    assert warnings == [
        "the channels of 'it' cancel each other out (one is inverted), and kwsd listens to their mean: "
        "choose one with --channel"
    ]


def test_a_word_is_enough_to_see_that_channels_cancel() -> None:
    word = noise(-20, 0.7)
    assert len(mixed(word, -word)[1]) == 1


@pytest.mark.parametrize("other", [noise(-20), noise(-30), syllables(2), 3 * syllables(3)])
def test_channels_that_carry_different_sounds_are_reported(other: Samples) -> None:
    (warning,) = mixed(syllables(1), other)[1]
    assert "channels 1 and 2 of 'it' carry different sounds, and kwsd listens to their mean" in warning
    assert mixed(syllables(1), other, channel=1)[1] == []


def test_of_many_channels_the_playback_is_named() -> None:
    voice = syllables(1)
    (warning,) = mixed(voice, voice + noise(-50), 0.5 * voice, syllables(2))[1]
    assert "channels 1 and 4 of" in warning


@pytest.mark.parametrize(
    "channels",
    [
        (syllables(1), syllables(1)),  # two microphones, each with noise of its own
        (syllables(1), np.roll(syllables(1), 40)),  # apart from each other
        (syllables(1), 0.3 * syllables(1)),
        (syllables(1), 0 * syllables(1)),  # one is dead
        (syllables(1), noise(-60)),
        (syllables(1), 0 * syllables(1) + np.float32(0.3)),  # one is dead and has an offset
        (noise(-40), noise(-40)),  # nobody speaks
        (noise(-90), noise(-90)),
    ],
)
def test_a_good_mean_is_not_reported(channels: tuple[Samples, Samples]) -> None:
    assert mixed(*channels)[1] == []


@pytest.mark.parametrize(("channels", "channel"), [(2, 3), (1, 2), (2, 0)])
def test_a_channel_that_is_not_there_is_refused(channels: int, channel: int) -> None:
    with pytest.raises(UsageError, match=f"'it' has no channel {channel}: it has"):
        Mixer("it", channels, SAMPLE_RATE, channel)


def test_the_mean_of_channels_gives_no_warning_of_numpys() -> None:
    """Of valid samples numpy warns at random; of opposite infinities it always would."""
    frames = np.full((4, 5), 0.5, np.float32)
    frames[0, :2] = np.inf, -np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mono = Mixer("test", 5, SAMPLE_RATE).push(frames)
    assert np.isnan(mono[0])
    np.testing.assert_allclose(mono[1:], 0.5, rtol=1e-6)
