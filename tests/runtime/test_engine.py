import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import N_MELS
from kwsd.runtime.model import BASELINE, STUDENT, Architecture, Model

Maker = Callable[..., Model]

ARCHITECTURES = st.builds(
    Architecture,
    channels=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, N_MELS), st.integers(1, 12)),
    stride=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    hidden=st.integers(1, 9),
)


def frames_like_speech(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(-4, 3, (count, N_MELS)).astype(np.float32)


def in_chunks(engine: Engine, frames: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Posteriors with the frames cut into chunks of these sizes, over and over."""
    posteriors = []
    start = 0
    while start < len(frames):
        for size in sizes:
            posteriors.append(engine.advance(frames[start : start + size]))
            start += size
    return np.concatenate(posteriors) if posteriors else np.empty(0)


def offline(model: Model, frames: np.ndarray, window: int, step: int) -> np.ndarray:
    """Posteriors of the torch model over all frames in one pass."""
    torch = pytest.importorskip("torch")
    crnn_module = pytest.importorskip("kwsd.training.nn.crnn")
    crnn = crnn_module.CRNN(model.architecture)
    crnn.load_state_dict({name: torch.from_numpy(weight) for name, weight in model.weights.items()})
    with torch.inference_mode():
        logits = crnn(torch.from_numpy(frames)[None], window, step)[0]
        return logits.softmax(dim=1)[:, 1].numpy()


@given(
    architecture=ARCHITECTURES,
    seed=st.integers(0, 99),
    scale=st.sampled_from([0.5, 1.0, 2.0]),
    window=st.integers(1, 30),
    step=st.none() | st.integers(1, 20),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    count=st.integers(20, 200),
)
def test_streamed_equals_offline(
    random_model: Maker,
    architecture: Architecture,
    seed: int,
    scale: float,
    window: int,
    step: int | None,
    sizes: list[int],
    count: int,
) -> None:
    model = random_model(architecture, seed, scale)
    step = step or architecture.stride[1]
    frames = frames_like_speech(count, seed)
    streamed = in_chunks(Engine(model, window, step), frames, sizes)
    np.testing.assert_allclose(streamed, offline(model, frames, window, step), rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", [BASELINE, STUDENT])
def test_streamed_equals_offline_for_a_minute(random_model: Maker, architecture: Architecture) -> None:
    model = random_model(architecture, scale=2)
    frames = frames_like_speech(6000, seed=1)
    step = architecture.stride[1]
    streamed = in_chunks(Engine(model, 20, step), frames, [10])
    expected = offline(model, frames, 20, step)
    assert np.ptp(expected) > 0.05  # the posterior moves
    np.testing.assert_allclose(streamed, expected, rtol=0, atol=1e-5)


@given(
    architecture=ARCHITECTURES,
    window=st.integers(1, 9),
    step=st.integers(1, 30),
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=5).filter(any),
)
def test_any_chunking_gives_the_same_posteriors(
    random_model: Maker, architecture: Architecture, window: int, step: int, sizes: list[int]
) -> None:
    model = random_model(architecture)
    frames = frames_like_speech(120, seed=2)
    whole = Engine(model, window, step).advance(frames)
    np.testing.assert_array_equal(in_chunks(Engine(model, window, step), frames, sizes), whole)
    assert len(whole) == (120 - architecture.kernel[1]) // step + 1


def test_engines_of_one_model_share_its_weights_but_no_state(random_model: Maker) -> None:
    model = random_model(BASELINE)
    one, other = frames_like_speech(200, seed=7), frames_like_speech(200, seed=8)
    alone = [Engine(model, 5, 8).advance(frames) for frames in (one, other)]
    together = Engine(model, 5, 8), Engine(model, 5, 8)
    turns = [
        [engine.advance(frames[i : i + 10]) for engine, frames in zip(together, (one, other), strict=True)]
        for i in range(0, 200, 10)
    ]
    for posteriors, expected in zip(zip(*turns, strict=True), alone, strict=True):
        np.testing.assert_array_equal(np.concatenate(posteriors), expected)

    tracemalloc.start()
    engines = [Engine(model, 5, 8) for _ in range(10)]
    each = tracemalloc.get_traced_memory()[0] / len(engines)
    tracemalloc.stop()
    assert each < 50_000  # bytes; the weights of the model are 280,000


@given(before=st.integers(0, 100), step=st.integers(1, 30))
def test_reset_returns_to_the_initial_state(random_model: Maker, before: int, step: int) -> None:
    engine = Engine(random_model(STUDENT), 3, step)
    frames = frames_like_speech(200, seed=3)
    fresh = engine.advance(frames)
    engine.reset()
    engine.advance(frames[:before])
    engine.reset()
    assert not engine.warm
    np.testing.assert_array_equal(engine.advance(frames), fresh)


@given(before=st.integers(0, 40), at=st.integers(0, 5), step=st.integers(1, 30))
def test_a_reset_between_two_steps_forgets_the_frames_until_then(
    random_model: Maker, before: int, at: int, step: int
) -> None:
    """As after a trigger in the middle of a chunk."""
    engine = Engine(random_model(STUDENT), 3, step)
    frames = frames_like_speech(200, seed=3)
    engine.advance(frames[:before])
    after, forgotten = [], before
    for number, (needed, posterior) in enumerate(engine.steps(frames[before:])):
        after.append(posterior)
        if number == at:
            engine.reset()
            after, forgotten = [], before + needed
    np.testing.assert_array_equal(after, Engine(random_model(STUDENT), 3, step).advance(frames[forgotten:]))


def test_is_warm_once_the_attention_has_seen_a_window(random_model: Maker) -> None:
    engine = Engine(random_model(STUDENT), window=4, step=10)
    warm = []
    for _ in range(6):
        engine.advance(frames_like_speech(engine.due - 1, seed=4))
        warm.append(engine.warm)
        engine.advance(frames_like_speech(1, seed=5))
    assert warm == [False, False, False, False, True, True]


def test_survives_energies_of_any_size(random_model: Maker) -> None:
    """Weights so large that every gate saturates and the energies' exponents underflow."""
    model = random_model(STUDENT)
    large = {name: (1e6 * np.sign(weight)).astype(np.float32) for name, weight in model.weights.items()}
    engine = Engine(Model("word", STUDENT, large), window=5, step=10)
    posteriors = engine.advance(frames_like_speech(500, seed=6))
    assert np.isfinite(posteriors).all()
    assert (posteriors >= 0).all()
    assert (posteriors <= 1).all()
