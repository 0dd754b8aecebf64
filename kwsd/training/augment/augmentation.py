"""How training examples are made: every share, range and size, each with its unit."""

from dataclasses import dataclass, field, fields
from numbers import Integral, Real
from typing import Any

from kwsd.errors import UsageError, shown
from kwsd.runtime.model import check_number
from kwsd.training.augment import voice


def within(low: float, high: float, default: Any) -> Any:
    """A field of a dataclass that `check_fields` checks.

    default: a number from `low` to `high`, or a range of such numbers as (lowest, highest).
    """
    return field(default=default, metadata={"limits": (low, high)})


def check_fields(record: Any) -> None:
    """Raise UsageError, naming the field, for a value of the dataclass that is not within its limits."""
    for each in fields(record):
        if "limits" not in each.metadata:
            continue
        name, value = each.name.replace("_", " "), getattr(record, each.name)
        default: Any = each.default
        is_range = isinstance(default, tuple)
        if is_range and not (isinstance(value, tuple) and len(value) == 2):
            raise UsageError(f"{name} must be a lowest and a highest value, not {shown(value)}")
        kind = Integral if isinstance(default[0] if is_range else default, int) else Real
        low, high = each.metadata["limits"]
        for number in value if is_range else (value,):
            check_number(name, number, low, high, kind)
        if is_range and value[0] > value[1]:
            raise UsageError(f"{name}: the lowest value, {value[0]:g}, is above the highest, {value[1]:g}")


@dataclass(frozen=True)
class Augmentation:
    """How training examples are made. An example ("scene") is a word in silence, noise or other speech.

    A share is a probability. A range is (lowest, highest), from which a value is drawn uniformly, or
    uniformly in its logarithm where the comment says so. Raises UsageError for a value out of its limits.
    """

    # What an example holds
    seconds: float = within(1, 60, 2.5)  # length of an example, at least
    spare: float = within(0.5, 60, 1.5)  # seconds by which it is longer than the longest clip, at least
    before: float = within(0, 10, 0.2)  # seconds before a word's clip, at least
    after: float = within(0, 10, 0.15)  # seconds after a word's clip, at least
    keyword_share: float = within(0.01, 0.99, 0.4)  # of examples
    hard_share: float = within(0, 1, 0.2)  # of those without the keyword, where there are hard negatives
    background_speech: float = within(0, 1, 0.6)  # share of examples with speech behind the word
    speech_alone: float = within(0, 1, 0.3)  # share of the other negatives that are speech throughout
    running_speech: float = within(0, 1, 0.6)  # share of that speech that is running, not separate words
    word_spacing: tuple[float, float] = within(0.1, 10, (0.55, 1.0))  # seconds between starts of words
    nearest_phonemes: float = within(0, 100, 1.5)  # by which a synthetic near miss differs, at least

    # What is done to a word
    retimed: float = within(0, 1, 0.5)  # share of words at another tempo, and so another pitch
    tempo: tuple[float, float] = within(0.25, 4, (0.8, 1.2))  # times the word's own
    revoiced: float = within(0, 1, 0.0)  # share of words and hard negatives that voice conversion changes
    formants: tuple[float, float] = within(0.5, 2, (0.8, 1.28))  # times the speaker's own; logarithmic
    pitch: tuple[float, float] = within(40, 600, (80.0, 330.0))  # Hz, the median; logarithmic
    melody: tuple[float, float] = within(0, voice.MELODY_LIMIT, (0.3, 1.1))  # times the pitch's range
    pace: tuple[float, float] = within(0.25, 4, (0.8, 1.25))  # times the duration; logarithmic

    # What is done to an example
    noisy: float = within(0, 1, 0.8)  # share of examples with noise
    noise_snr: tuple[float, float] = within(-60, 100, (-5.0, 35.0))  # dB of the example over the noise
    silence_level: float = within(1e-6, 1, 0.03)  # RMS that a silent example counts as, where noise is added
    reverberant: float = within(0, 1, 0.25)  # share of examples in a room
    decay: tuple[float, float] = within(0.01, 10, (0.15, 0.7))  # seconds to -60 dB, of a room
    direct: tuple[float, float] = within(-60, 60, (0.0, 12.0))  # dB of the direct sound over the rest
    narrow: float = within(0, 1, 0.0)  # share of examples without high frequencies
    cutoff: tuple[float, float] = within(500, 8000, (2800.0, 7000.0))  # Hz, of a narrow one; logarithmic
    order: tuple[float, float] = within(1, 100, (2.0, 40.0))  # of its low-pass; logarithmic
    level: tuple[float, float] = within(-90, 40, (-18.0, 6.0))  # dB by which the whole is louder

    # How examples are used
    chunk: int = within(1, 1_000_000, 1024)  # examples that are drawn at once
    first_chunks: int = within(1, 1_000, 6)  # chunks in the pool at first; each epoch adds one
    kept_chunks: int = within(1, 1_000, 16)  # beyond so many the oldest goes
    gain: float = within(0, 40, 6.0)  # dB by which an example's level differs from use to use, at most
    tilt: float = within(0, 40, 6.0)  # dB by which its lowest and highest band do, in opposite directions
    masked_bands: int = within(0, 40, 6)  # mel bands that SpecAugment masks, at most
    masked_frames: int = within(0, 1_000, 10)  # frames that it masks, at most

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def for_synthetic_voices(cls) -> "Augmentation":
        """For words of synthetic voices, which are fewer and clearer at high frequencies than people's.

        Voice conversion needs Praat: without it no word is revoiced.
        """
        return cls(revoiced=0.7 if voice.available() else 0.0, narrow=0.3)
