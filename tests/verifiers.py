"""Verifiers of random weights, for the tests of the second stage."""

import numpy as np

from kwsd.runtime.model import Array
from kwsd.runtime.verifier import shapes

HEADS = 2


def weights(bias: float = 0.0, scale: float = 1.0, seed: int = 0) -> dict[str, Array]:
    """Random ones, in sizes that let sound through; the heads' log-odds are moved by `bias`."""
    random = np.random.default_rng(seed)
    made = {}
    for name, shape in shapes(HEADS).items():
        inputs = shape[0] * shape[1] if name.startswith("conv") and len(shape) == 3 else shape[-2:][0]
        made[name] = (random.normal(0, scale * inputs**-0.5, shape)).astype(np.float32)
    made["mel"] = np.abs(made["mel"])
    made["output.bias"] = np.full((HEADS, 1, 1), bias, np.float32)
    return made
