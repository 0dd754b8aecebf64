"""Looks for what torch's dynamic quantization of the attention CRNN may lose quality by, suspect by suspect.

`train` trains the network as the original experiment did: on whole clips of a second, with one posterior for
each. It writes the weights and held-out clips to a file. `score` prints au_fa_fr of such files for every
suspect. It needs torch 1.7 or later and numpy, but not kwsd, so that it runs in Pythons of that time as well.

python tools/dynamic_quantization.py train data/speech_commands_v0.01 network.npz
python tools/dynamic_quantization.py score network.npz
"""

from __future__ import annotations  # for Python 3.8

import argparse
import copy
import importlib.util
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from kwsd.training.augment.training_set import Recordings

BALANCE = (1_734, 64_721)  # clips of "sheila", and all, in Speech Commands v0.01
FLOOR = float(np.log(1e-9))  # of the log-mel features; what silence and masks become
BATCH = 128  # clips
TEMPERATURE, ALPHA = 4.0, 0.5  # of distillation


class CRNN(nn.Module):
    """Log-mel frames of whole clips, (batch, mels, time), to logits, (batch, 2)."""

    def __init__(self, channels: int, kernel: tuple[int, int], stride: tuple[int, int], hidden: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, kernel, stride)
        inputs = channels * ((40 - kernel[0]) // stride[0] + 1)
        self.gru = nn.GRU(inputs, hidden, num_layers=2, dropout=0.1, batch_first=True)
        self.attention, self.energy = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.output = nn.Linear(hidden, 2)

    def forward(self, frames: Tensor) -> Tensor:
        columns = self.conv(frames.unsqueeze(1)).flatten(1, 2).transpose(1, 2)
        states = self.gru(columns)[0]
        shares = torch.softmax(self.energy(torch.tanh(self.attention(states))), dim=1)
        logits: Tensor = self.output((states * shares).sum(dim=1))
        return logits


TEACHER = (8, (5, 20), (2, 8), 64)  # 70,443 parameters
STUDENT = (4, (9, 20), (4, 10), 20)  # 6,967


def log_mel(audio: Any) -> Tensor:
    """Int16 clips (n, samples) to the features of the original experiment, (n, 40, frames)."""
    from kwsd.runtime.frontend import mel_filterbank

    filters = torch.from_numpy(mel_filterbank()).float()
    parts = []
    for part in torch.split(torch.from_numpy(audio), BATCH):
        spectrum = torch.stft(
            part.float() / 32_768, 400, 160, 400, torch.hann_window(400), return_complex=True
        )
        power = torch.einsum("bft,fm->bmt", spectrum.abs().square(), filters)
        parts.append(power.clamp(1e-9).log())
    return torch.cat(parts)


def disguised(audio: Any, noise: list[Any], random: np.random.Generator) -> list[Any]:
    """The clips as they are, with white noise, at a quarter of their level, and with background noise."""
    white = audio + random.normal(0, 330, audio.shape)
    background = audio.astype(np.float64)
    for clip in background:
        source = noise[random.integers(len(noise))].astype(np.float64)
        start = random.integers(len(source) - len(clip))
        clip += np.linalg.norm(clip) / np.linalg.norm(source) * 0.89 * source[start : start + len(clip)]
    return [audio, *(np.clip(a, -32_768, 32_767).astype(np.int16) for a in (white, audio / 4, background))]


def masked(frames: Tensor, random: np.random.Generator) -> Tensor:
    """A copy in which up to 14 bands and up to 34 frames of all clips are silent."""
    frames = frames.clone()
    for axis, longest in ((1, 15), (2, 35)):
        length = int(random.uniform(0, longest))
        start = int(random.uniform(0, frames.shape[axis] - length))
        frames.narrow(axis, start, length).fill_(FLOOR)
    return frames


def train(data: Path, out: Path, options: argparse.Namespace) -> None:
    """Train on batches with as many clips of the keyword as without it, with Adam, and write `out`."""
    from kwsd.training.augment.training_set import Recordings

    random = np.random.default_rng(options.seed)
    torch.manual_seed(options.seed)
    recordings = Recordings.read(data, options.keyword, (), ())
    audio, keyword = labelled(recordings, "training")
    variants = torch.stack(
        [log_mel(each) for each in disguised(audio, recordings.noise_of("training"), random)]
    )
    network = CRNN(*(STUDENT if options.teacher else TEACHER))
    teacher = load(np.load(options.teacher)) if options.teacher else None
    optimizer = torch.optim.Adam(network.parameters(), options.rate, weight_decay=options.weight_decay)
    shares = np.where(keyword, 0.5 / keyword.sum(), 0.5 / (~keyword).sum())
    for step in range(1, options.steps + 1):
        chosen = random.choice(len(shares), BATCH, p=shares)
        frames = masked(variants[random.integers(4, size=BATCH), chosen], random)
        logits = network(frames)
        loss = functional.cross_entropy(logits, torch.from_numpy(keyword[chosen]).long())
        if teacher:
            with torch.no_grad():
                wanted = functional.softmax(teacher(frames) / TEMPERATURE, dim=1)
            given = functional.log_softmax(logits / TEMPERATURE, dim=1)
            soft = functional.kl_div(given, wanted, reduction="batchmean") * TEMPERATURE**2
            loss = ALPHA * soft + (1 - ALPHA) * loss
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()
        if step % 400 == 0:
            print(f"step {step} of {options.steps}, loss {loss.item():.4f}", flush=True)
    splits = [labelled(recordings, split) for split in ("validation", "dev-test")]
    order = np.random.default_rng(0).permutation(sum(len(marks) for _, marks in splits))
    held_out = np.concatenate([audio for audio, _ in splits])[order]
    marks = np.concatenate([marks for _, marks in splits])[order]
    weights = {name: weight.numpy() for name, weight in network.state_dict().items()}
    np.savez(out, clips=log_mel(held_out).numpy(), keyword=marks, **weights)


def labelled(recordings: Recordings, split: str) -> tuple[Any, Any]:
    """The clips of a split, (n, samples) int16, and whether each is the keyword."""
    keyword, others = recordings.clips(split)
    return np.concatenate((keyword, others)), np.arange(len(keyword) + len(others)) < len(keyword)


def load(file: Any) -> CRNN:
    """The network of a file."""
    network = CRNN(*(TEACHER if len(file["conv.bias"]) == TEACHER[0] else STUDENT))
    network.load_state_dict({name: torch.from_numpy(file[name]) for name in network.state_dict()})
    return network.eval()


def au_fa_fr(logits: Tensor, keyword: Any, balance: tuple[int, int] = BALANCE) -> float:
    """Area under FR over FA, both divided by the number of all clips, at a balance of classes."""
    odds = (logits[:, 1].double() - logits[:, 0].double()).numpy()
    others = np.sort(odds[~keyword])
    ranks = [np.searchsorted(others, odds[keyword], side) for side in ("left", "right")]
    share = balance[0] / balance[1]
    return float((1 - (ranks[0] + ranks[1]) / (2 * len(others))).mean()) * share * (1 - share)


def logits_of(
    network: Any, clips: Tensor, batch: int = BATCH, first: Tensor | None = None, mask: bool = False
) -> Tensor:
    """Logits of the clips. first: a clip (mels, time) that is put before every batch."""
    torch.manual_seed(0)  # for dropout
    random, found = np.random.default_rng(0), []
    with torch.no_grad():
        for part in torch.split(clips, batch):
            part = masked(part, random) if mask else part
            whole = part if first is None else torch.cat((first[None], part))
            found.append(network(whole)[len(whole) - len(part) :])
    return torch.cat(found)


def dynamic(network: CRNN, kinds: Any = None, dtype: Any = torch.qint8) -> Any:
    """The network after torch's dynamic quantization; of its GRU and linear layers if `kinds` is None."""
    kinds = kinds or {nn.GRU, nn.Linear}
    return torch.quantization.quantize_dynamic(copy.deepcopy(network), kinds, dtype=dtype)  # type: ignore


def with_8_bits(quantized: Any) -> Any:
    """The quantized network with activations of 8 bits: torch uses 7 of them (reduce_range)."""
    for layer in quantized.gru._all_weight_values:
        matrices = layer.param.__getstate__()[0][4]
        biases = [matrix.__getstate__()[0][1] for matrix in matrices]
        make = torch.ops.quantized.make_quantized_cell_params_dynamic
        layer.param = make(*matrices, *biases, False)
    for name in ("attention", "energy", "output"):
        layer = getattr(quantized, name)
        weights = layer._packed_params._packed_params
        layer.forward = lambda x, w=weights: torch.ops.quantized.linear_dynamic(x, w, reduce_range=False)
    return quantized


def rounded(values: Tensor, bits: int | None) -> Tensor:
    """Values rounded to 2^bits levels from their minimum to their maximum; unchanged if bits is None."""
    if bits is None:
        return values
    low, high = values.min().clamp(max=0), values.max().clamp(min=0)
    scale = ((high - low) / (2**bits - 1)).clamp(min=1e-12)
    zero = (-low / scale).round()
    levels: Tensor = (values / scale + zero).round().clamp(0, 2**bits - 1)
    back: Tensor = (levels - zero) * scale
    return back


class Imitation(nn.Module):
    """What torch computes, in float32: matrices and activations are rounded, each tensor on one scale."""

    def __init__(self, network: CRNN, weights: int | None = None, activations: int | None = None) -> None:
        super().__init__()
        self.network, self.bits = copy.deepcopy(network), activations
        for name, weight in self.network.named_parameters():
            if weight.ndim == 2 and weights and not name.startswith("conv"):
                scale = weight.data.abs().max() / (2 ** (weights - 1) - 0.5)
                weight.data = (weight.data / scale).round() * scale

    def linear(self, values: Tensor, layer: nn.Linear) -> Tensor:
        return functional.linear(rounded(values, self.bits), layer.weight, layer.bias)

    def forward(self, frames: Tensor) -> Tensor:
        n = self.network
        states = n.conv(frames.unsqueeze(1)).flatten(1, 2).transpose(1, 2)
        for layer in (0, 1):
            w, u, b, c = (
                getattr(n.gru, f"{kind}_l{layer}")
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            )
            inputs = functional.linear(rounded(states, self.bits), w, b)
            state, columns = states.new_zeros(len(states), u.shape[1]), []
            for column in inputs.unbind(1):
                r, z, new = column.chunk(3, 1)
                rh, zh, newh = functional.linear(rounded(state, self.bits), u, c).chunk(3, 1)
                z = torch.sigmoid(z + zh)
                state = (1 - z) * torch.tanh(new + torch.sigmoid(r + rh) * newh) + z * state
                columns.append(state)
            states = torch.stack(columns, 1)
        energies = self.linear(torch.tanh(self.linear(states, n.attention)), n.energy)
        return self.linear((states * torch.softmax(energies, 1)).sum(1), n.output)


class Suspect:
    """What may cost quality: a way to make a network, and to score clips with it."""

    def __init__(self, make: Callable[[], Any], **scoring: Any) -> None:
        self.make, self.scoring = make, scoring

    def logits(self, clips: Tensor) -> Tensor:
        """Logits of the clips. Raises AttributeError or RuntimeError if this torch cannot do it."""
        backend: Any = torch.backends.quantized
        standard = backend.engine
        backend.engine = self.scoring.pop("engine", standard)
        try:
            return logits_of(self.make(), clips, **self.scoring)
        finally:
            backend.engine = standard


def suspects(network: CRNN, clips: Tensor) -> dict[str, Suspect]:
    """All suspects by name."""
    engines = sorted(set(torch.backends.quantized.supported_engines) - {"none"})
    channel: Any = torch.quantization.per_channel_dynamic_qconfig  # type: ignore[attr-defined]
    kinds = {nn.GRU: channel, nn.Linear: channel}
    whole = partial(dynamic, network)
    silent, loud = torch.full_like(clips[0], FLOOR), clips[0] + np.log(1e4)
    return {
        "float32": Suspect(lambda: network),
        **{engine: Suspect(whole, engine=engine) for engine in engines},
        **{
            f"{engine}, activations of 8 bits": Suspect(lambda: with_8_bits(whole()), engine=engine)
            for engine in engines
        },
        "a scale per channel": Suspect(partial(whole, kinds)),
        "linear layers alone": Suspect(partial(whole, {nn.Linear})),
        "GRU alone": Suspect(partial(whole, {nn.GRU})),
        "quantized twice": Suspect(lambda: dynamic(whole())),
        "float16": Suspect(partial(whole, dtype=torch.float16)),
        "TorchScript": Suspect(lambda: torch.jit.script(whole())),
        "batches of 1 clip": Suspect(whole, batch=1),
        "batches of 1,024 clips": Suspect(whole, batch=1_024),
        "a silent clip in each batch": Suspect(whole, first=silent),
        "a clip 40 dB louder in each batch": Suspect(whole, first=loud),
        "eval() forgotten": Suspect(lambda: whole().train()),
        **{
            f"imitated: weights of {bits} bits": Suspect(partial(Imitation, network, bits))
            for bits in (8, 5, 4, 3)
        },
        **{
            f"imitated: activations of {bits} bits": Suspect(partial(Imitation, network, None, bits))
            for bits in (7, 5, 4, 3)
        },
        "imitated: weights of 8 bits, activations of 7": Suspect(partial(Imitation, network, 8, 7)),
        "clips masked as in training": Suspect(whole, mask=True),
    }


def score(files: list[Path]) -> None:
    """Print au_fa_fr of each file's network for every suspect."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    engine: Any = torch.backends.quantized
    print(f"torch {torch.__version__}, engine {engine.engine}")
    rows: dict[str, list[str]] = {}
    for file in map(np.load, files):
        clips, keyword = torch.from_numpy(file["clips"]), file["keyword"]
        network = load(file)
        for name, suspect in suspects(network, clips).items():
            try:
                found = f"{au_fa_fr(suspect.logits(clips), keyword):.2e}"
            except (AttributeError, RuntimeError) as error:
                found = type(error).__name__
            rows.setdefault(name, []).append(found)
        equal = au_fa_fr(logits_of(dynamic(network), clips), keyword, (1, 2))
        rows.setdefault("as many clips of the keyword as of others", []).append(f"{equal:.2e}")
    for name, values in rows.items():
        print(f"{name:46}", *values)
    if importlib.util.find_spec("thop"):
        from thop import profile

        for name, each in (("float32", network), ("quantized", dynamic(network))):
            print(f"multiply-adds by thop, {name}: {profile(each, (clips[:1],), verbose=False)[0]:,.0f}")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    training, scoring = commands.add_parser("train"), commands.add_parser("score")
    training.add_argument("data", type=Path)
    training.add_argument("out", type=Path)
    training.add_argument("--keyword", default="happy")
    training.add_argument("--steps", type=int, default=4_000)
    training.add_argument("--rate", type=float, default=3e-4)
    training.add_argument("--weight-decay", type=float, default=0.0)
    training.add_argument("--seed", type=int, default=0)
    training.add_argument("--teacher", type=Path, help="train a student on this file of a teacher")
    scoring.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args()
    if options.command == "train":
        train(options.data, options.out, options)
    else:
        score(options.files)


if __name__ == "__main__":
    main()
