"""What the heads see of a recording."""

import numpy as np
import pytest
import verifiers

from kwsd.runtime.embedding import EMBEDDING, STRIDE_SAMPLES
from kwsd.runtime.verifier import CONTEXT
from kwsd.training.teaching.takes import embeddings, heads, in_noise, speech_windows, windows, word_windows

VERIFIER = verifiers.weights()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(16_000 * seconds))).astype(np.float32)


def test_a_long_recording_has_an_embedding_every_80_ms() -> None:
    audio = noise(4)
    seen = embeddings(audio, VERIFIER)
    assert seen.shape == (50, EMBEDDING)
    late = embeddings(audio[20 * STRIDE_SAMPLES :], VERIFIER)
    np.testing.assert_allclose(seen[30:], late[10:], rtol=1e-3, atol=1e-3)  # those that have seen only audio
    assert windows(seen).shape == (41, CONTEXT, EMBEDDING)
    np.testing.assert_array_equal(windows(seen)[7], seen[7:17])


def test_the_windows_of_a_word_are_those_that_the_heads_score_highest() -> None:
    audio = (32_768 * noise(1)).astype(np.int16)
    seen = word_windows(audio, VERIFIER)
    assert seen.shape == (6, CONTEXT, EMBEDDING)  # two of each variant
    scorer = heads(VERIFIER)
    best = [float(scorer.log_odds(window)[0]) for window in seen]
    assert best[0] >= best[1]
    np.testing.assert_array_equal(seen, word_windows(audio, VERIFIER))  # nothing depends on chance


def test_noise_has_the_level_that_is_asked_for() -> None:
    word = np.concatenate([np.zeros(16_000, np.float32), noise(2)])
    added = in_noise(word, 10.0, np.random.default_rng(0)) - word
    loud = np.square(word)[np.square(word) >= np.median(np.square(word))].mean()
    assert 10 * np.log10(loud / np.square(added).mean()) == pytest.approx(10, abs=0.1)


def test_there_is_a_minute_of_speech_to_compare_with() -> None:
    assert len(speech_windows(VERIFIER)) > 60 / 0.08
