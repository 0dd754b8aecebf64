"""The parameters of augmentation: every probability, range and size, with its unit."""

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
    """Raise UsageError, with the name of the field, if a value of the dataclass is out of its limits."""
    for each in fields(record):
        if "limits" not in each.metadata:
            continue
        name, value = each.name.replace("_", " "), getattr(record, each.name)
        default: Any = each.default
        is_range = isinstance(default, tuple)
        if is_range and not (isinstance(value, tuple) and len(value) == 2):
            raise UsageError(f"{name} must be a pair, (lowest, highest), not {shown(value)}")
        kind = Integral if isinstance(default[0] if is_range else default, int) else Real
        low, high = each.metadata["limits"]
        for number in value if is_range else (value,):
            check_number(name, number, low, high, kind)
        if is_range and value[0] > value[1]:
            raise UsageError(f"{name}: the lowest value, {value[0]:g}, is above the highest, {value[1]:g}")


@dataclass(frozen=True)
class Augmentation:
    """How training examples are made. An example ("scene") is a word in silence, noise or other speech.

    A share is a probability. A range is (lowest, highest). A value is drawn from it uniformly, or
    log-uniformly if the comment says "logarithmic". Raises UsageError for a value out of its limits.
    """

    # The content of an example
    seconds: float = within(1, 60, 2.5)  # minimum length of an example
    spare: float = within(0.5, 60, 1.5)  # minimum length beyond the longest clip of the keyword, seconds
    before: float = within(0, 10, 0.2)  # minimum seconds before the clip of a word
    after: float = within(0, 10, 0.15)  # minimum seconds after the clip of a word
    keyword_share: float = within(0.01, 0.99, 0.4)  # share of examples with the keyword
    hard_share: float = within(0, 1, 0.2)  # share of the others with a hard negative, if there are any
    background_speech: float = within(0, 1, 0.6)  # share of examples with speech behind the word
    speech_alone: float = within(0, 1, 0.3)  # share of the remaining ones that are filled with speech
    running_speech: float = within(0, 1, 0.6)  # share of such speech that is running speech, not words
    fluent: float = within(0, 1, 0.0)  # share of examples with the word alone, without a pause, within speech
    fluent_level: tuple[float, float] = within(-60, 60, (-8.0, 6.0))  # of such a word, dB above the speech
    word_spacing: tuple[float, float] = within(0.1, 10, (0.55, 1.0))  # seconds from word to word

    # Augmentation of a word
    retimed: float = within(0, 1, 0.5)  # share of words resampled to another tempo and pitch
    tempo: tuple[float, float] = within(0.25, 4, (0.8, 1.2))  # factor
    voice_converted: float = within(0, 1, 0.0)  # share of words and hard negatives in another voice
    formants: tuple[float, float] = within(0.5, 2, (0.8, 1.28))  # factor; logarithmic
    pitch: tuple[float, float] = within(40, 600, (80.0, 330.0))  # Hz, median; logarithmic
    melody: tuple[float, float] = within(0, voice.MELODY_LIMIT, (0.3, 1.1))  # factor on the pitch's range
    pace: tuple[float, float] = within(0.25, 4, (0.8, 1.25))  # factor on the duration; logarithmic

    # Augmentation of an example
    noisy: float = within(0, 1, 0.8)  # share of examples with noise
    noise_snr: tuple[float, float] = within(-60, 100, (-5.0, 35.0))  # signal-to-noise ratio, dB
    silence_level: float = within(1e-6, 1, 0.03)  # RMS assumed for a silent example, to set its noise
    reverberant: float = within(0, 1, 0.25)  # share of examples in a room
    decay: tuple[float, float] = within(0.01, 10, (0.15, 0.7))  # reverberation time (to -60 dB), seconds
    direct: tuple[float, float] = within(-60, 60, (0.0, 12.0))  # direct-to-reverberant ratio, dB
    narrow: float = within(0, 1, 0.0)  # share of examples without high frequencies
    cutoff: tuple[float, float] = within(500, 8000, (2800.0, 7000.0))  # of their low-pass, Hz; logarithmic
    order: tuple[float, float] = within(1, 100, (2.0, 40.0))  # of their low-pass; logarithmic
    level: tuple[float, float] = within(-90, 40, (-18.0, 6.0))  # gain, dB
    cut_out: float = within(0, 1, 0.0)  # share of examples with digital silence around the clip of the word

    # The pool of examples
    chunk: int = within(1, 1_000_000, 1024)  # examples in a chunk
    first_chunks: int = within(1, 1_000, 6)  # chunks in the pool at the start; each epoch adds one
    kept_chunks: int = within(1, 1_000, 16)  # maximum number of chunks; then the oldest is dropped
    gain: float = within(0, 40, 6.0)  # maximum random gain at each use, dB
    tilt: float = within(0, 40, 6.0)  # maximum random gain of the highest band, and loss of the lowest, dB
    masked_bands: int = within(0, 40, 6)  # maximum number of mel bands that SpecAugment masks
    masked_frames: int = within(0, 1_000, 10)  # maximum number of frames that it masks

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def for_synthetic_voices(cls) -> "Augmentation":
        """For synthetic voices, which are few, and brighter than recorded ones.

        Voice conversion needs Praat; without it, no voice is converted.
        """
        return cls(voice_converted=0.7 if voice.available() else 0.0, narrow=0.3)
