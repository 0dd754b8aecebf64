"""Writing the ``.pt`` model file, and bringing one back into torch. The reader is kwsd.runtime.modelfile."""

import dataclasses
from pathlib import Path

import torch

from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR, SAMPLE_RATE
from kwsd.runtime.model import Model
from kwsd.training.crnn import CRNN

FORMAT_VERSION = 1


def save_model(model: Model, path: Path) -> None:
    """Write `model` so that ``torch.load(path, weights_only=True)`` and the runtime's reader open it."""
    a = model.architecture
    record = {
        "kwsd": FORMAT_VERSION,
        "keyword": model.keyword,
        "sample_rate": SAMPLE_RATE,
        "front_end": {"n_fft": N_FFT, "hop": HOP, "n_mels": N_MELS, "floor": POWER_FLOOR},
        "architecture": {
            "channels": a.channels,
            "kernel": list(a.kernel),
            "stride": list(a.stride),
            "hidden": a.hidden,
        },
        "settings": dataclasses.asdict(model.settings),
        "weights": {name: torch.from_numpy(weight.copy()) for name, weight in model.weights.items()},
        "facts": model.facts,
    }
    partial = path.with_name(path.name + ".part")
    torch.save(record, partial)
    partial.replace(path)  # a reader never sees half a file


def to_torch(model: Model) -> CRNN:
    """The model as a torch module, in evaluation mode."""
    crnn = CRNN(model.architecture)
    crnn.load_state_dict({name: torch.from_numpy(weight.copy()) for name, weight in model.weights.items()})
    return crnn.eval()


def weights_of(crnn: CRNN) -> dict[str, "torch.Tensor"]:
    """The module's weights, detached, on the CPU, float32."""
    return {name: value.detach().cpu().float() for name, value in crnn.state_dict().items()}
