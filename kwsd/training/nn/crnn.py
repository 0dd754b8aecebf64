"""The attention CRNN in torch: log-mel frames in, logits out (Shan et al. 2018, arXiv 1803.10916)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kwsd.runtime.model import Architecture


class CRNN(nn.Module):
    """Convolution, two GRU layers, soft attention over a sliding window of steps, two logits per step.

    The layers only hold the parameters. ``forward`` computes with what ``weights()`` returns, so that a
    subclass can compute with other values, such as rounded ones (kwsd.training.nn.quantize).

    A microphone's stream has no beginning, but a training example has one. A network whose GRU always starts
    from zeros would learn that the keyword comes soon after zero states. So in training a share of the
    sequences of a batch, `carried_share`, start in GRU states in which the previous batch ended.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        a = architecture
        self.architecture = a
        self.conv = nn.Conv2d(1, a.channels, a.kernel, a.stride)
        self.gru = nn.GRU(a.features, a.hidden, num_layers=2, batch_first=True)
        self.attention = nn.Linear(a.hidden, a.hidden)
        self.energy = nn.Linear(a.hidden, 1)
        self.output = nn.Linear(a.hidden, 2)
        self.carried_share = 0.0  # in training: Recipe.carried_share
        self.reset_states()

    def reset_states(self) -> None:
        """Start all sequences of the next training batch from zero states."""
        self._last_states: Tensor | None = None  # (layers, batch, hidden)

    def weights(self) -> dict[str, Tensor]:
        """The weights to compute with, by the names of the parameters."""
        return dict(self.named_parameters())

    def forward(self, frames: Tensor, window: int, step: int | None = None) -> Tensor:
        """Logits of every step, (batch, steps, 2); the posterior is ``softmax(logits)[..., 1]``.

        frames: (batch, time, mels). window: steps that the attention sees, fewer at the
        beginning. step: frames between two steps, by default the convolution's stride in time.
        """
        return self.attend(frames, window, step)[0]

    def attend(self, frames: Tensor, window: int, step: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits as ``forward`` returns them, energies (batch, steps) and states (batch, steps, hidden)."""
        w = self.weights()
        sf, st = self.architecture.stride
        image = frames.transpose(1, 2).unsqueeze(1)
        columns = functional.conv2d(image, w["conv.weight"], w["conv.bias"], (sf, step or st))
        inputs = columns.flatten(1, 2).transpose(1, 2)
        layers = [w[f"gru.{kind}_l{layer}"] for layer in (0, 1) for kind in _GRU_WEIGHTS]
        start = self._start(inputs)
        # with biases, 2 layers, no dropout, training or not, one direction, batch first
        states, last = torch.gru(inputs, start, layers, True, 2, 0.0, self.training, False, True)
        if self.training:
            self._last_states = last.detach()
        hidden = torch.tanh(functional.linear(states, w["attention.weight"], w["attention.bias"]))
        energy = functional.linear(hidden, w["energy.weight"], w["energy.bias"]).squeeze(2)
        # a linear layer commutes with the mean, and averaging two outputs is cheaper than all states
        outputs = functional.linear(states, w["output.weight"], w["output.bias"])
        return sliding_attention(energy, outputs, window), energy, states

    def _start(self, inputs: Tensor) -> Tensor:
        """The initial GRU states, (layers, batch, hidden): zeros or, in training, some carried states."""
        start = inputs.new_zeros(2, len(inputs), self.architecture.hidden)
        last = self._last_states
        if self.training and last is not None and last.shape == start.shape:
            carried = torch.rand(len(inputs), 1, device=inputs.device) < self.carried_share
            order = torch.randperm(len(inputs), device=inputs.device)
            start = torch.where(carried, last[:, order], start)
        return start


_GRU_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def sliding_energies(energy: Tensor, window: int) -> Tensor:
    """The last `window` energies at every step: (batch, steps) to (batch, steps, window).

    Positions before the first step are -inf.
    """
    return functional.pad(energy, (window - 1, 0), value=float("-inf")).unfold(1, window, 1)


def sliding_attention(energy: Tensor, states: Tensor, window: int) -> Tensor:
    """Softmax-weighted mean of the last `window` states at every step (Shan et al. 2018, eq. 4 to 6).

    energy: (batch, steps). states: (batch, steps, hidden). Returns (batch, steps, hidden).
    """
    window = min(window, energy.shape[1])
    history = functional.pad(states, (0, 0, window - 1, 0)).unfold(1, window, 1)
    return torch.einsum("bsw,bshw->bsh", sliding_energies(energy, window).softmax(dim=2), history)
