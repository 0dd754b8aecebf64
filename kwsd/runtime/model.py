"""A model: its architecture, its weights, and the settings with which it works best."""

import math
import unicodedata
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import UsageError, shown
from kwsd.runtime.frontend import N_MELS

Array = npt.NDArray[np.float32]

MAX_PARAMETERS = 1_000_000  # 14 times the baseline, so that no file exhausts the memory of a small device
LOWEST_THRESHOLD = 0.001  # for every setting that is a posterior
BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols that look blank (Hangul, Braille)


def check_keyword(keyword: str) -> None:
    """Raise UsageError for a keyword that is blank, too long or contains unprintable characters."""
    if not keyword.isprintable() or not 1 <= len(keyword) <= 100 or any(c in BLANK for c in keyword):
        raise UsageError("the keyword must be 1 to 100 printable characters")
    if not any(unicodedata.category(c)[0] in "LNPS" for c in keyword):  # only spaces and combining marks
        raise UsageError("the keyword is blank")


def check_number(name: str, value: object, low: float, high: float, kind: type = Integral) -> None:
    """Raise UsageError unless the value is a number of this kind from low to high. NaN is refused."""
    if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:  # type: ignore[operator]
        what = "a whole number" if kind is Integral else "a number"
        raise UsageError(f"{name} must be {what} from {low:,} to {high:,}, not {shown(value)}")


@dataclass(frozen=True)
class Architecture:
    """The sizes of an attention CRNN (Shan et al. 2018, arXiv 1803.10916).

    kernel and stride are those of the convolution: (frequency, time), in mel bands and frames. hidden is the
    number of units of each GRU layer. Raises UsageError for a size that is out of range.
    """

    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    hidden: int

    def __post_init__(self) -> None:
        check_number("channels", self.channels, 1, 1_000)
        check_number("kernel (frequency)", self.kernel[0], 1, N_MELS)
        check_number("kernel (time)", self.kernel[1], 1, 1_000)
        check_number("stride (frequency)", self.stride[0], 1, N_MELS)
        check_number("stride (time)", self.stride[1], 1, 1_000)
        check_number("hidden", self.hidden, 1, 1_000)
        if self.parameters > MAX_PARAMETERS:
            raise UsageError(f"{self.parameters:,} parameters are too many; the limit is {MAX_PARAMETERS:,}")

    @property
    def bands(self) -> int:
        """Frequency positions of the convolution's output."""
        return (N_MELS - self.kernel[0]) // self.stride[0] + 1

    @property
    def features(self) -> int:
        """Size of one flattened convolution column: channels x bands."""
        return self.channels * self.bands

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(math.prod(shape) for shape in self.shapes().values())

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
STUDENT = Architecture(channels=6, kernel=(5, 20), stride=(5, 9), hidden=18)


@dataclass(frozen=True)
class Settings:
    """How a detector runs a model. A model file holds the best settings for its model.

    Raises UsageError for a value out of range.
    """

    window: int = 20
    """Steps that the attention sees."""

    step: int = 8
    """Frames (of 10 ms) from one step to the next."""

    threshold: float = 0.5
    """Posterior that makes a trigger: of both stages if the model has a second stage, else of the first."""

    candidate_threshold: float = 0.02
    """Posterior of the first stage that makes a candidate. Used only if the model has a second stage."""

    patience: int = 1
    """Consecutive steps at or above its threshold that the first stage needs."""

    release: float = 0.3
    """Posterior below which the first stage must fall before the next trigger (hysteresis). Not used if the
    model has a second stage."""

    refractory: float = 1.0
    """Minimum seconds between two triggers."""

    def __post_init__(self) -> None:
        check_number("window", self.window, 1, 100_000)
        check_number("step", self.step, 1, 1_000)
        check_number("threshold", self.threshold, LOWEST_THRESHOLD, 1, Real)
        check_number("candidate_threshold", self.candidate_threshold, LOWEST_THRESHOLD, 1, Real)
        check_number("patience", self.patience, 1, 10_000)
        check_number("release", self.release, LOWEST_THRESHOLD, 1, Real)
        check_number("refractory", self.refractory, 0, 86_400, Real)
        if self.release > self.threshold:
            raise UsageError(f"release {self.release:g} must not be above threshold {self.threshold:g}")

    def override(self, **changes: float | None) -> "Settings":
        """A copy with these fields changed; a field given as None keeps its value.

        If only the threshold is given, and is below the release, the release is lowered to it. Raises
        UsageError for a value out of range.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        if "threshold" in given and "release" not in given:
            given["release"] = min(given["threshold"], self.release)
        return replace(self, **given)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model. Its weights are float32, even if they are quantized in the file.

    Two models are equal only if they are the same object, so a model can be the key of a dictionary.
    """

    keyword: str
    architecture: Architecture
    weights: dict[str, Array]
    settings: Settings = field(default_factory=Settings)
    facts: dict[str, Any] = field(default_factory=dict)  # data, split, seed, metrics, date, command
    path: Path | None = None
    verifier: dict[str, Array] | None = None  # weights of the second stage, if the model has one

    @property
    def name(self) -> str:
        """The name of its file, or its keyword if it was not read from a file."""
        return self.path.name if self.path else self.keyword
