"""One channel out of several: the mean, or the one that is chosen; and a warning where the mean is bad."""

import itertools
import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from kwsd.errors import UsageError
from kwsd.pcm import Samples

FRAME = 0.02  # seconds in which a channel's level is measured
BATCH = 50  # frames measured at a time: numpy's calls cost more than what they do
STRIDE = 4  # one sample in so many is looked at, which measures levels as well
SPAN = 6.0  # seconds that are compared at a time
SHORTEST = 0.5  # seconds that tell anything: a word
SILENCE = 1e-7  # power (-70 dB) that is counted as no sound
CANCELLED = 0.25  # share of the power of unrelated channels' mean, below which channels cancel each other
LIVELY = 15.0  # dB from a channel's quiet to its loud moments, at least, where somebody speaks
UNLIKE = 0.4  # correlation of two channels' levels, in dB, below which they carry different sounds
MASKING = 15.0  # dB below the loud moments of one channel at which another still disturbs it

log = logging.getLogger(__name__)


class Mixer:
    """Makes mono of frames of several channels.

    Without a choice it takes the mean of all, and watches whether the mean is any good: a channel may be the
    other's inverse, and both cancel, or hold a loudspeaker's playback or noise instead of the voice. Both are
    reported once, with the way out: `--channel`.
    """

    def __init__(
        self,
        name: str,
        channels: int,
        rate: int,
        channel: int | None = None,
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        """name: what a person calls the source. rate: Hz. channel: the one to take, counted from 1.

        Raises UsageError where there is no such channel.
        """
        if channel is not None and not 1 <= channel <= channels:
            there = "one channel" if channels == 1 else f"{channels} channels"
            raise UsageError(f"there is no channel {channel} in {name!r}: it has {there}, counted from 1")
        self.channels = channels
        self._name, self._channel, self._warn = name, channel, warn
        self._frame = round(FRAME * rate)  # in samples
        self._shares = np.full(channels, 1 / channels, np.float32)  # a product is six times as fast as a mean
        self._watching = channel is None and channels > 1
        self._held: list[Samples] = []  # not yet measured
        self._powers: list[npt.NDArray[np.float64]] = []  # per frame: of each channel, then of the mean
        self._measured = 0  # frames in them

    def push(self, frames: Samples) -> Samples:
        """Take frames, shape (n, channels); give mono, shape (n,)."""
        if self._channel is not None:
            return frames[:, self._channel - 1]
        mono: Samples = frames @ self._shares if self.channels > 1 else frames[:, 0]
        if self._watching:
            self._watch(frames)
        return mono

    def finish(self) -> None:
        """The stream is at its end: judge what was not yet judged."""
        if self._watching and self._held:
            self._measure()
        if self._watching and self._measured * FRAME >= SHORTEST:
            self._judge()

    def _watch(self, frames: Samples) -> None:
        self._held.append(frames)
        if sum(map(len, self._held)) >= BATCH * self._frame:
            self._measure()

    def _measure(self) -> None:
        held = np.concatenate(self._held)
        count = len(held) // self._frame
        self._held = [held[count * self._frame :]]
        whole = held[: count * self._frame].reshape(count, self._frame, self.channels)[:, ::STRIDE]
        power = np.empty((count, self.channels + 1))
        power[:, :-1] = whole.var(axis=1)  # without an offset, which carries nothing
        power[:, -1] = whole.mean(axis=2).var(axis=1)
        self._powers.append(power)
        self._measured += count
        if self._measured * FRAME >= SPAN:
            self._judge()

    def _judge(self) -> None:
        power = np.concatenate(self._powers)
        self._powers, self._measured = [], 0
        problem = fault(self._name, power[:, :-1], power[:, -1])
        if problem:
            self._watching = False
            self._warn(f"{problem}, and the mean is heard: choose one with --channel")


def fault(name: str, channels: npt.NDArray[np.float64], mean: npt.NDArray[np.float64]) -> str | None:
    """What is wrong with the mean of a source's channels.

    channels, mean: power of each frame, (frames, channels) and (frames,). Returns the beginning of a
    sentence, or None where the mean is as good as a channel.
    """
    count = channels.shape[1]
    total = channels.mean(axis=1)
    heard = total > SILENCE
    if heard.sum() * FRAME < SHORTEST:
        return None
    if mean[heard].sum() < CANCELLED / count * total[heard].sum():
        return f"the channels of {name!r} cancel each other (one is inverted)"
    level = 10 * np.log10(channels + SILENCE)
    low, high = np.quantile(level, [0.1, 0.95], axis=0)
    for one, other in itertools.combinations(range(count), 2):
        voice, rest = (one, other) if high[one] - low[one] > high[other] - low[other] else (other, one)
        if high[voice] - low[voice] < LIVELY or high[rest] < high[voice] - MASKING:
            continue
        if not level[:, rest].std() or np.corrcoef(level[:, voice], level[:, rest])[0, 1] < UNLIKE:
            return f"channels {one + 1} and {other + 1} of {name!r} carry different sounds"
    return None
