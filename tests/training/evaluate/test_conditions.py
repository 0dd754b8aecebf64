"""Noise has its level, and a room keeps that of the sound in it."""

import numpy as np
import pytest
from evaluation import burst
from hypothesis import given
from hypothesis import strategies as st

from kwsd.pcm import SAMPLE_RATE
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.reverb import random_room, reverberated
from kwsd.training.evaluate.conditions import (
    RandomSegment,
    frame_powers,
    in_room,
    noise_gain,
)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_piece_is_repeated_where_it_is_too_short(there: int, length: int, data: st.DataObject) -> None:
    recording = np.arange(there).astype(np.int16)
    piece = RandomSegment([recording], length, np.random.default_rng(0))
    whole = piece.read(0, length)
    start = int(whole[0])
    np.testing.assert_array_equal(whole, np.resize(recording[start : start + length], length))
    assert there < length or start + length <= there
    at = data.draw(st.integers(0, length - 1))
    np.testing.assert_array_equal(piece.read(at, length - at), whole[at:])


@pytest.mark.parametrize(("snr", "level"), [(20, 100), (0, 1_000), (-6.0206, 2_000)])
def test_noise_is_mixed_in_under_the_words_and_not_the_pauses(snr: float, level: float) -> None:
    speech = np.zeros(SAMPLE_RATE, np.int16)
    speech[: SAMPLE_RATE // 2] = 1_000
    noise = np.tile(np.array([100, -100], np.float32), SAMPLE_RATE // 2)
    gain = noise_gain(frame_powers(speech), float((noise**2).mean()), snr)
    assert np.abs(gain * noise).max() == pytest.approx(level, rel=1e-3)


def test_a_room_keeps_level_length_and_time() -> None:
    random = np.random.default_rng(0)
    audio = burst(0.2).astype(np.float32)
    wet = reverberated(audio, random_room(random, Augmentation()))
    assert wet.shape == audio.shape
    assert np.sqrt((wet**2).mean()) == pytest.approx(np.sqrt((audio**2).mean()), rel=1e-3)
    start = np.flatnonzero(audio)[0]
    assert np.abs(wet[:start]).max() < 1e-3 * np.abs(wet).max()


def test_the_delay_of_an_impulse_response_is_left_out() -> None:
    audio = burst(0.2).astype(np.float32)
    late = np.zeros(300, np.int16)
    late[100] = -20_000  # the direct sound; it may be of either sign
    late[99], late[200] = 50, 5_000
    heard = in_room(audio, late)
    expected = -audio
    expected[100:] += 0.25 * audio[:-100]
    assert np.corrcoef(heard, expected)[0, 1] > 0.9999
    assert in_room(audio, None) is audio
