"""The attention CRNN in torch (Shan et al. 2018, arXiv 1803.10916): frames in, logits of every step out."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from kwsd.runtime.model import Architecture

CARRIED = 0.75  # of the sequences of a training batch start in the states in which others ended


class CRNN(nn.Module):
    """Convolution, two GRU layers, soft attention over a sliding window of steps, two logits a step.

    The layers only hold the weights: the computation takes what ``weights()`` gives, so that training can
    make the network compute with other values than it keeps (kwsd.training.nn.quantize).

    A microphone's stream has no beginning: while the network trains, most sequences of a batch start in the
    GRU states in which the last batch ended, so that it does not learn that words come soon after silence.
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
        self.forget()

    def forget(self) -> None:
        """Let the next batch of training start anew."""
        self._ended: Tensor | None = None

    def weights(self) -> dict[str, Tensor]:
        """The weights to compute with, by torch's names."""
        return dict(self.named_parameters())

    def forward(self, frames: Tensor, window: int, step: int | None = None) -> Tensor:
        """Logits of every step.

        frames: (batch, time, mels). window: steps the attention sees; before that many have been, all there
        are. step: frames between two steps, the convolution's time stride where None.
        Returns (batch, steps, 2); the posterior is ``softmax(logits)[..., 1]``.
        """
        return self.attend(frames, window, step)[0]

    def attend(self, frames: Tensor, window: int, step: int | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits as ``forward`` gives them, energies (batch, steps) and states (batch, steps, hidden)."""
        w = self.weights()
        sf, st = self.architecture.stride
        image = frames.transpose(1, 2).unsqueeze(1)
        columns = functional.conv2d(image, w["conv.weight"], w["conv.bias"], (sf, step or st))
        inputs = columns.flatten(1, 2).transpose(1, 2)
        layers = [w[f"gru.{kind}_l{layer}"] for layer in (0, 1) for kind in _GRU_WEIGHTS]
        start = self._start(inputs)
        states, ended = torch.gru(inputs, start, layers, True, 2, 0.0, self.training, False, True)
        if self.training:
            self._ended = ended.detach()
        hidden = torch.tanh(functional.linear(states, w["attention.weight"], w["attention.bias"]))
        energy = functional.linear(hidden, w["energy.weight"], w["energy.bias"]).squeeze(2)
        # the output of a mean is the mean of the outputs, and two numbers a step are cheaper to average
        outputs = functional.linear(states, w["output.weight"], w["output.bias"])
        return sliding_attention(energy, outputs, window), energy, states

    def _start(self, inputs: Tensor) -> Tensor:
        """The GRU states to start from, (layers, batch, hidden): zeros, but for CARRIED while training."""
        start = inputs.new_zeros(2, len(inputs), self.architecture.hidden)
        if self.training and self._ended is not None and self._ended.shape == start.shape:
            carried = torch.rand(len(inputs), 1) < CARRIED
            start = torch.where(carried, self._ended[:, torch.randperm(len(inputs))], start)
        return start


_GRU_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def sliding(energy: Tensor, window: int) -> Tensor:
    """The last `window` energies at every step, -inf before the first. (b, steps) to (b, steps, window)."""
    return functional.pad(energy, (window - 1, 0), value=float("-inf")).unfold(1, window, 1)


def sliding_attention(energy: Tensor, states: Tensor, window: int) -> Tensor:
    """Softmax-weighted mean of the last `window` states at every step (Shan et al. 2018, eq. 4 to 6).

    energy: (batch, steps). states: (batch, steps, hidden). Returns (batch, steps, hidden).
    """
    window = min(window, energy.shape[1])
    history = functional.pad(states, (0, 0, window - 1, 0)).unfold(1, window, 1)
    return torch.einsum("bsw,bshw->bsh", sliding(energy, window).softmax(dim=2), history)
