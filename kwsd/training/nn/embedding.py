"""The speech embedding in torch: 96 numbers that describe 0.78 s of speech, one vector every 80 ms.

The network is that of Lin et al. 2020, "Training keyword spotters with limited and synthesized speech data",
arXiv 2002.01322. The weights are those of `kwsd.runtime.shipped_embedding`, so heads are trained on what they
will hear.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from kwsd.pcm import FULL_SCALE, SAMPLE_RATE
from kwsd.runtime.embedding import EMBEDDING_N_FFT, EMBEDDING_POWER_FLOOR, FRAMES, GROUPS, STRIDE, WINDOW
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Array
from kwsd.runtime.shipped_embedding import shipped_embedding

FROZEN_GROUPS = 3  # groups of layers that are never fine-tuned: they describe sounds, later ones words
_BATCH = 16  # audio clips that go through the frozen groups at once


def embedding_ends(count: int, device: torch.device | None = None) -> Tensor:
    """The times at which the input of each embedding ends, in seconds into the audio, (count,)."""
    return ((FRAMES - 1 + STRIDE * torch.arange(count, device=device)) * HOP + EMBEDDING_N_FFT) / SAMPLE_RATE


class SpeechEmbedding(nn.Module):
    """The network. `upper`, the part after FROZEN_GROUPS, may be fine-tuned."""

    mel: Tensor
    window: Tensor

    def __init__(self, arrays: Mapping[str, Array] | None = None) -> None:
        """arrays: with the names and shapes of `embedding_shapes`; by default the shipped ones."""
        super().__init__()
        arrays = arrays or shipped_embedding()
        side = (EMBEDDING_N_FFT - WINDOW) // 2
        self.register_buffer("mel", torch.tensor(arrays["mel"]))
        self.register_buffer("window", functional.pad(torch.hann_window(WINDOW), (side, side)))
        axes = [*"".join(directions for _, directions, _ in GROUPS), "t"]
        layers = iter(
            _convolution(
                _kernel(arrays[f"conv{number}.weight"], number, axis), arrays.get(f"conv{number}.bias")
            )
            for number, axis in enumerate(axes)
        )
        groups = [_group(layers, len(directions), pool) for _, directions, pool in GROUPS]
        self.lower = nn.Sequential(*groups[:FROZEN_GROUPS])
        self.upper = nn.Sequential(*groups[FROZEN_GROUPS:], next(layers), _Embeddings())
        self.requires_grad_(False)

    def forward(self, audio: Tensor) -> Tensor:
        """Audio (n, samples), float32 in [-1, 1], to embeddings (n, count, EMBEDDING), one every 80 ms."""
        embeddings: Tensor = self.upper(self.frozen_features(audio))
        return embeddings

    @torch.no_grad()
    def frozen_features(self, audio: Tensor) -> Tensor:
        """Output of the frozen groups and input of `upper`: (n, samples) to (n, channels, time, bands)."""
        return torch.cat([self.lower(self._mels(batch)[:, None]) for batch in torch.split(audio, _BATCH)])

    def _mels(self, audio: Tensor) -> Tensor:
        """Log-mel frames (n, frames, EMBEDDING_N_MELS), equal to those of kwsd.runtime.embedding.log_mels."""
        frames = (audio * float(FULL_SCALE)).unfold(1, EMBEDDING_N_FFT, HOP) * self.window
        power = torch.fft.rfft(frames).abs().square() @ self.mel
        mels: Tensor = power.clamp(min=EMBEDDING_POWER_FLOOR).log10() + 2
        return mels

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The weights with the names and shapes of kwsd.runtime.embedding."""
        arrays = {"mel": self.mel.numpy()}
        layers = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        for number, layer in enumerate(layers):
            weight = layer.weight.numpy(force=True)  # (out, in, time, band)
            if number == 0:  # as in `_kernel`
                weight = weight.swapaxes(1, 3)
            arrays[f"conv{number}.weight"] = weight.reshape(len(weight), -1, 3).transpose(2, 1, 0)
            if layer.bias is not None:
                arrays[f"conv{number}.bias"] = layer.bias.numpy(force=True)
        return arrays


class _LeakyReLU(nn.Module):
    """Leaky ReLU with slope 0.2, clamped at -0.4."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(x, 0.2).clamp(min=-0.4)


class _Embeddings(nn.Module):
    """The last layer's output (n, EMBEDDING, count, 1) as embeddings (n, count, EMBEDDING)."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., 0].transpose(1, 2)


def _group(layers: Iterator[nn.Conv2d], count: int, pool: tuple[int, int]) -> nn.Sequential:
    """The next `count` convolutions, each with its activation, and a max pool over (time, bands)."""
    activated = [module for _ in range(count) for module in (next(layers), _LeakyReLU())]
    return nn.Sequential(*activated, nn.MaxPool2d(pool))


def _kernel(weight: Array, number: int, axis: str) -> Tensor:
    """The kernel (out, in, time, band) of a layer whose weight in the runtime is (taps, in, out)."""
    taps = torch.tensor(weight).permute(2, 1, 0)
    kernel = taps[:, :, :, None] if axis == "t" else taps[:, :, None]
    # the first layer's three inputs in the runtime are neighbouring bands of one here
    return kernel.swapaxes(1, 3) if number == 0 else kernel


def _convolution(kernel: Tensor, bias: Array | None) -> nn.Conv2d:
    """A convolution with zero padding along the bands and none along time."""
    outputs, inputs, *size = kernel.shape
    layer = nn.Conv2d(inputs, outputs, size, padding=(0, size[1] // 2), bias=bias is not None)  # type: ignore[arg-type]
    # this memory format is twice as fast on a CPU
    layer.weight = nn.Parameter(kernel.contiguous(memory_format=torch.channels_last))
    if bias is not None:
        layer.bias = nn.Parameter(torch.tensor(bias))
    return layer
