"""Writes loud.pt, a model of 30 weights whose keyword is loudness: tests listen with it where nobody speaks.

python tests/make_loud.py (needs torch)
"""

from pathlib import Path

import numpy as np

from kwsd.runtime.model import Architecture, Model, Settings
from kwsd.training.release.modelfile import save_model

ARCHITECTURE = Architecture(channels=1, kernel=(40, 2), stride=(1, 1), hidden=1)

if __name__ == "__main__":
    weights = {name: np.zeros(shape, np.float32) for name, shape in ARCHITECTURE.shapes().items()}
    weights["conv.weight"][:] = 1 / 80  # the mean log-mel power: -14 in digital silence, 0 in loud noise
    for layer in ("l0", "l1"):
        weights[f"gru.bias_ih_{layer}"][:] = [0, -20, 0]  # the new state is all: h = tanh(input)
        weights[f"gru.weight_ih_{layer}"][2] = 2
    weights["gru.bias_ih_l0"][2] = 8  # half-way at a power of -4
    weights["attention.weight"][:] = 1
    weights["energy.weight"][:] = 10  # one loud step of the window is enough
    weights["output.weight"][:] = [[-5], [5]]
    settings = Settings(window=5, step=10, threshold=0.5, patience=1, release=0.3, refractory=1.0)
    save_model(Model("loud", ARCHITECTURE, weights, settings), Path(__file__).with_name("loud.pt"))
