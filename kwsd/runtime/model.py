"""What a model is: its architecture, its weights and the settings it is best run with."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.runtime.frontend import N_MELS

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Architecture:
    """The attention CRNN of Shan et al. 2018 (arXiv 1803.10916), by its sizes.

    kernel and stride are (frequency, time), in mel bands and frames.
    """

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    hidden: int

    @property
    def bands(self) -> int:
        """Frequency positions of the convolution's output."""
        return (N_MELS - self.kernel[0]) // self.stride[0] + 1

    @property
    def features(self) -> int:
        """Size of one flattened convolution column: channels x bands."""
        return self.channels * self.bands

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every weight, in torch's names and layout (GRU gates in the order r, z, n)."""
        c, (kf, kt), h = self.channels, self.kernel, self.hidden
        return {
            "conv.weight": (c, 1, kf, kt),
            "conv.bias": (c,),
            "gru.weight_ih_l0": (3 * h, self.features),
            "gru.weight_hh_l0": (3 * h, h),
            "gru.bias_ih_l0": (3 * h,),
            "gru.bias_hh_l0": (3 * h,),
            "gru.weight_ih_l1": (3 * h, h),
            "gru.weight_hh_l1": (3 * h, h),
            "gru.bias_ih_l1": (3 * h,),
            "gru.bias_hh_l1": (3 * h,),
            "attention.weight": (h, h),
            "attention.bias": (h,),
            "energy.weight": (1, h),
            "energy.bias": (1,),
            "output.weight": (2, h),
            "output.bias": (2,),
        }


BASELINE = Architecture(channels=8, kernel=(5, 20), stride=(2, 8), hidden=64)
STUDENT = Architecture(channels=4, kernel=(9, 20), stride=(4, 10), hidden=20)


@dataclass(frozen=True)
class Settings:
    """How a model is best run; every field can be overridden on the command line."""

    window: int = 20  # steps the attention sees
    step: int = 8  # frames (10 ms each) between two steps
    threshold: float = 0.5  # posterior at or above which a step counts towards a trigger
    patience: int = 1  # steps on end at or above the threshold that make a trigger
    release: float = 0.3  # posterior below which it must fall before it may fire again
    refractory: float = 1.0  # seconds after a trigger in which none fires


@dataclass(frozen=True)
class Model:
    """A trained model, with weights in numpy float32 (dequantized where the file is quantized)."""

    keyword: str
    architecture: Architecture
    weights: dict[str, Array]
    settings: Settings = field(default_factory=Settings)
    facts: dict[str, Any] = field(default_factory=dict)  # data, split, seed, metrics, date, command
    path: Path | None = None
