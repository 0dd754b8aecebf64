"""The attention CRNN in torch (Shan et al. 2018, arXiv 1803.10916): frames in, logits of every step out."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kwsd.runtime.model import Architecture


class CRNN(nn.Module):
    """Convolution, two GRU layers, soft attention over a sliding window of steps, two logits a step."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.conv = nn.Conv2d(1, a.channels, a.kernel, a.stride)
        self.gru = nn.GRU(a.features, a.hidden, num_layers=2, batch_first=True)
        self.attention = nn.Linear(a.hidden, a.hidden)
        self.energy = nn.Linear(a.hidden, 1)
        self.output = nn.Linear(a.hidden, 2)

    def forward(self, frames: Tensor, window: int, step: int | None = None) -> Tensor:
        """Logits of every step.

        frames: (batch, time, mels). window: steps the attention sees; before that many have been, all there
        are. step: frames between two steps, the convolution's time stride where None.
        Returns (batch, steps, 2); the posterior is ``softmax(logits)[..., 1]``.
        """
        states = self.states(frames, step)
        energy = self.energy(torch.tanh(self.attention(states))).squeeze(2)
        return self.output(sliding_attention(energy, states, window))

    def states(self, frames: Tensor, step: int | None = None) -> Tensor:
        """GRU outputs, (batch, steps, hidden)."""
        sf, st = self.architecture.stride
        image = frames.transpose(1, 2).unsqueeze(1)
        columns = functional.conv2d(image, self.conv.weight, self.conv.bias, (sf, step or st))
        states: Tensor = self.gru(columns.flatten(1, 2).transpose(1, 2))[0]
        return states


def sliding_attention(energy: Tensor, states: Tensor, window: int) -> Tensor:
    """Softmax-weighted mean of the last `window` states at every step (Shan et al. 2018, eq. 4 to 6).

    energy: (batch, steps). states: (batch, steps, hidden). Returns (batch, steps, hidden).
    """
    window = min(window, energy.shape[1])
    energies = functional.pad(energy, (window - 1, 0), value=float("-inf")).unfold(1, window, 1)
    history = functional.pad(states, (0, 0, window - 1, 0)).unfold(1, window, 1)
    return torch.einsum("bsw,bshw->bsh", energies.softmax(dim=2), history)


def parameter_count(model: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in model.parameters())
