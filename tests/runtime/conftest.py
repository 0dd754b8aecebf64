"""Models made of random weights, and one that hears loudness: no training needed to test the runtime."""

from collections.abc import Callable

import numpy as np
import pytest

from kwsd.runtime.model import Architecture, Model, Settings

LOUDNESS = Architecture(channels=1, kernel=(40, 2), stride=(1, 1), hidden=1)


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Model]:
    """Makes a model of random weights, `scale` times as large as those torch starts from."""

    def make(architecture: Architecture, seed: int = 0, scale: float = 1.0) -> Model:
        rng = np.random.default_rng(seed)
        weights = {}
        for name, shape in architecture.shapes().items():
            bound = scale / np.sqrt(np.prod(shape[1:]))
            weights[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
        return Model("word", architecture, weights)

    return make


@pytest.fixture(scope="session")
def loudness() -> Model:
    """A model whose keyword is loudness: posterior near 1 in loud noise, near 0 in silence."""
    weights = {name: np.zeros(shape, np.float32) for name, shape in LOUDNESS.shapes().items()}
    weights["conv.weight"][:] = (
        1 / 80
    )  # the mean of the log-mel powers: about -14 in silence, 0 in loud noise
    for layer in ("l0", "l1"):
        weights[f"gru.bias_ih_{layer}"][:] = [0, -20, 0]  # always update: h' = n = tanh(input)
        weights[f"gru.weight_ih_{layer}"][2] = 1
    weights["gru.bias_ih_l0"][2] = 7
    weights["output.weight"][:] = [[-5], [5]]
    settings = Settings(window=4, step=5, threshold=0.9, patience=1, release=0.3, refractory=0.5)
    return Model("loud", LOUDNESS, weights, settings)
