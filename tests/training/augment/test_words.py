"""How a word is put into speech."""

import numpy as np

from kwsd.training.augment.words import FADE, say_within


def test_speech_fades_into_a_word_and_back_in_30_ms() -> None:
    speech, word = np.ones(5_000, np.float32), -np.ones(2_000, np.float32)
    say_within(speech, 1_000, word)
    assert FADE == 480
    into = 1 - 2 * np.arange(1, 481) / 480
    np.testing.assert_allclose(speech[1_000:1_480], into, atol=1e-6)
    np.testing.assert_allclose(speech[2_520:3_000], into[::-1], atol=1e-6)
    assert (speech[1_480:2_520] == -1).all()
    assert (speech[:1_000] == 1).all()
    assert (speech[3_000:] == 1).all()


def test_a_word_that_the_speech_ends_in_is_cut() -> None:
    speech = np.ones(1_000, np.float32)
    say_within(speech, 900, -np.ones(2_000, np.float32))
    assert len(speech) == 1_000
    assert (speech[:900] == 1).all()


def test_a_word_in_silence_stays_as_loud_as_it_is() -> None:
    silence, word = np.zeros(5_000, np.float32), np.full(2_000, 0.25, np.float32)
    say_within(silence, 1_000, word, gain=6.0)
    assert silence.max() == 0.25
