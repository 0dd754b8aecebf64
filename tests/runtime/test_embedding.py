"""The speech embedding: its front end, its network, and the stream of embeddings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verifiers import weights

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.embedding import (
    EMBEDDING_N_MELS,
    STRIDE_SAMPLES,
    WARM_UP,
    EmbeddingStream,
    embedding_shapes,
    log_mels,
)
from kwsd.runtime.model import Array

MADE = weights()
SOUND = np.random.default_rng(0).normal(0, 0.2, 5 * SAMPLE_RATE).astype(np.float32)
SOUND *= np.repeat(np.random.default_rng(1).uniform(0, 1, 50), 1_600).astype(np.float32)


def stream(made: dict[str, Array] = MADE) -> tuple[AudioHistory, EmbeddingStream]:
    history = AudioHistory(30 * STRIDE_SAMPLES)
    return history, EmbeddingStream(made, history)


POOLS = [("tft", 2, 2), ("ftft", 1, 2), ("ftft", 2, 2), ("ftft", 1, 2), ("ftft", 2, 2)]


def embeddings_of(w: dict[str, Array], mels: np.ndarray) -> np.ndarray:
    """What the embedding is, tap by tap: Lin et al. 2020, with the first filters seeing 3 by 3."""
    x = np.zeros((len(mels), 32, 3))
    for neighbour in range(3):
        for band in range(32):
            if 0 <= band + neighbour - 1 < 32:
                x[:, band, neighbour] = mels[:, band + neighbour - 1]
    layer = 0
    for directions, time, bands in POOLS:
        for direction in directions:
            taps = w[f"conv{layer}.weight"].astype(np.float64)
            if direction == "f":
                x = np.pad(x, ((0, 0), (1, 1), (0, 0)))
                x = x[:, :-2] @ taps[0] + x[:, 1:-1] @ taps[1] + x[:, 2:] @ taps[2]
            else:
                x = x[:-2] @ taps[0] + x[1:-1] @ taps[1] + x[2:] @ taps[2]
            x += w[f"conv{layer}.bias"]
            x = np.where(x > 0, x, 0.2 * x).clip(min=-0.4)
            layer += 1
        rows, columns = x.shape[0] // time, x.shape[1] // bands
        cells = [
            x[i : rows * time : time, j : columns * bands : bands] for i in range(time) for j in range(bands)
        ]
        x = np.max(cells, axis=0)
    taps = w["conv19.weight"].astype(np.float64)
    return (x[:-2] @ taps[0] + x[1:-1] @ taps[1] + x[2:] @ taps[2])[:, 0]


def whole(made: dict[str, Array], sound: np.ndarray) -> np.ndarray:
    """The embeddings of the whole sound at once, number n at index n: each sees 76 frames."""
    before = np.zeros(9 * STRIDE_SAMPLES, np.float32)
    samples = np.concatenate((before, sound))[4 * 160 - 352 :]  # number 0 sees 76 frames of 80
    return embeddings_of(made, log_mels(samples, made["mel"]))


EXPECTED = whole(MADE, SOUND)


@settings(max_examples=15)
@given(
    chunks=st.lists(st.integers(1, SAMPLE_RATE), min_size=1, max_size=6),
    awake=st.lists(st.tuples(st.integers(0, 25), st.integers(1, 12)), min_size=1, max_size=8),
)
def test_embeddings_equal_those_of_the_whole_sound(chunks: list[int], awake: list[tuple[int, int]]) -> None:
    """However the audio is cut, and whichever are read. awake: numbers left out, then numbers read."""
    history, embeddings = stream()
    wanted = []
    number = 0
    for asleep, count in awake * 20:
        number += asleep
        wanted += range(number, number + count)
        number += count
    start, read = 0, 0
    for size in chunks * (len(SOUND) // sum(chunks) + 1):
        history.push(SOUND[start : start + size])
        start = min(start + size, len(SOUND))
        ended = embeddings.ended(start)
        assert ended == start // STRIDE_SAMPLES
        new = [one for one in wanted if read <= one < ended]
        for one in new:
            np.testing.assert_allclose(embeddings.read(one, one + 1), EXPECTED[[one]], atol=1e-4, rtol=1e-4)
        read = ended


def test_earlier_embeddings_are_read_again_and_many_at_once() -> None:
    """As by two keywords, one of which woke up later."""
    history, embeddings = stream()
    for second in range(4):
        history.push(SOUND[second * SAMPLE_RATE :][:SAMPLE_RATE])
    for first, stop in ((40, 48), (41, 50), (30, 33), (30, 50), (20, 22)):
        np.testing.assert_allclose(embeddings.read(first, stop), EXPECTED[first:stop], atol=1e-4, rtol=1e-4)


def test_silence_precedes_the_stream() -> None:
    history, embeddings = stream()
    history.push(np.zeros(STRIDE_SAMPLES, np.float32))
    read = embeddings.read(-9, 1)
    assert read.shape == (10, 96)
    np.testing.assert_allclose(read, np.repeat(read[:1], 10, axis=0), atol=1e-5)


@pytest.mark.parametrize("position", [0, 12_345])
def test_after_a_reset_nothing_is_left_of_what_was_heard(position: int) -> None:
    history, embeddings = stream()
    history.push(SOUND[-SAMPLE_RATE:])
    embeddings.read(0, 12)
    history.clear(position)
    embeddings.reset()
    history.push(SOUND[:SAMPLE_RATE])
    assert embeddings.ended(position + SAMPLE_RATE) == 12
    np.testing.assert_allclose(embeddings.read(0, 12), EXPECTED[:12], atol=1e-4, rtol=1e-4)


def test_while_embeddings_are_read_in_turn_each_frame_is_computed_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    computed = []
    monkeypatch.setattr(
        "kwsd.runtime.embedding.log_mels",
        lambda samples, filters: computed.append(len(samples) - 352) or log_mels(samples, filters),
    )
    history, embeddings = stream()
    history.push(SOUND[:SAMPLE_RATE])
    embeddings.read(0, 1)
    history.push(SOUND[SAMPLE_RATE:][:SAMPLE_RATE])
    for number in range(25):
        embeddings.read(number, number + 1)
    assert sum(computed) == (WARM_UP + 25) * 1_280
    embeddings.read(25 - 9, 25)
    assert sum(computed) == (WARM_UP + 25) * 1_280
    for _ in range(10):
        history.push(SOUND[:SAMPLE_RATE])
    embeddings.read(148, 150)  # after ten seconds asleep it begins again
    assert sum(computed) == (WARM_UP + 25 + WARM_UP + 2) * 1_280


def test_which_weights_make_the_same_embeddings() -> None:
    _, embeddings = stream()
    assert embeddings.equals({name: array.copy() for name, array in MADE.items()})
    assert embeddings.equals(MADE | {"output.bias": np.ones((2, 1, 1), np.float32)})
    assert not embeddings.equals(MADE | {"conv19.weight": MADE["conv19.weight"] + 1})


def test_the_shapes_of_the_embedding_in_plain_numbers() -> None:
    made = embedding_shapes()
    assert sum(int(np.prod(shape)) for shape in made.values()) == 478_243 - 141_891
    assert made["mel"] == (257, 32)
    assert [made[f"conv{i}.weight"] for i in (0, 1, 3, 7, 11, 15, 19)] == [
        (3, 3, 24),
        (3, 24, 24),
        (3, 24, 48),
        (3, 48, 72),
        (3, 72, 96),
        (3, 96, 96),
        (3, 96, 96),
    ]
    assert [made[f"conv{i}.bias"] for i in (0, 3, 7, 11, 18)] == [(24,), (48,), (72,), (96,), (96,)]


def test_mels_are_tenths_of_decibels() -> None:
    """A tone at bin 32 of 512: 400 samples of Hann sum to 200, so its power is (32768 a 100)^2."""
    mel = np.zeros((257, EMBEDDING_N_MELS), np.float32)
    mel[32, 3] = 1
    mel[32, 5] = 1e-3  # 30 dB below
    tone = np.sin(2 * np.pi * 1000 / SAMPLE_RATE * np.arange(512 + 160)).astype(np.float32)
    mels = log_mels(np.float32(0.05) * tone, mel)
    assert mels.shape == (2, EMBEDDING_N_MELS)
    loudest = 2 * np.log10(32_768 * 0.05 * 100) + 2  # 12.43
    np.testing.assert_allclose(mels[:, 3], loudest, atol=2e-3)
    np.testing.assert_allclose(mels[:, 5], loudest - 3, atol=2e-3)
    np.testing.assert_allclose(mels[:, [0, 4, 31]], 2, atol=1e-5)


def test_a_power_below_1_is_silence() -> None:
    mel = np.ones((257, EMBEDDING_N_MELS), np.float32)
    np.testing.assert_allclose(log_mels(np.zeros(512, np.float32), mel), 2, atol=1e-5)
    click = np.zeros(512, np.float32)
    click[256] = 1 / 32_768  # a step of int16: a power of 1 in each of the 257 bins
    np.testing.assert_allclose(log_mels(click, mel), 2 + np.log10(257), atol=1e-4)


@pytest.mark.parametrize(
    ("sample", "weight"), [(56, 0), (156, 0.5), (256, 1), (356, 0.5), (455, 6.2e-5), (456, 0)]
)
def test_the_window_is_400_samples_of_hann_in_the_middle_of_512(sample: int, weight: float) -> None:
    mel = np.zeros((257, EMBEDDING_N_MELS), np.float32)
    mel[32] = 1
    click = np.zeros(512, np.float32)
    click[sample] = 1
    mels = log_mels(click, mel)
    np.testing.assert_allclose(mels, 2 * np.log10(32_768 * weight) + 2 if weight else 2, atol=2e-2)
