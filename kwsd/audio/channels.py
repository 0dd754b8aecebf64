"""Mixes several channels down to mono, and warns if they should not be averaged."""

import itertools
import logging
from collections.abc import Callable

import numpy as np

from kwsd.errors import UsageError
from kwsd.pcm import Samples

LEVEL_SECONDS = 0.02  # length of audio of which one level is measured
LEVELS_AT_A_TIME = 50  # levels measured per call, because numpy's overhead exceeds its computation
STRIDE = 4  # only one sample in four is used to measure levels, which is accurate enough
COMPARED_SECONDS = 6.0  # of audio over which channels are compared
MIN_COMPARED_SECONDS = 0.5  # of sound that a comparison needs, about as long as a word
SILENCE_POWER = 1e-7  # (-70 dB) up to which audio counts as silence
MIN_MEAN_POWER = 0.25  # of the mean, relative to that of unrelated channels; below it the channels cancel out
MIN_SPEECH_RANGE = 15.0  # dB between quiet and loud moments of a channel with speech
MIN_CORRELATION = 0.4  # of the levels (dB) of two channels; below it they carry different sounds
MIN_SEPARATION = 15.0  # dB by which other channels must be quieter than the voice not to disturb it

log = logging.getLogger(__name__)


class Mixer:
    """Mixes frames of several channels down to mono.

    If no channel is chosen, it averages all and checks the result: a channel may be the inverse of another,
    so that both cancel out, or it may carry playback or noise instead of the voice. It warns of this once.
    """

    def __init__(
        self,
        name: str,
        channels: int,
        rate: int,
        channel: int | None = None,
        warn: Callable[[str], None] = log.warning,
    ) -> None:
        """name: of the source, for messages. rate: Hz. channel: the channel to take, counted from 1.

        warn: called with the warning. Raises UsageError if there is no such channel.
        """
        if channel is not None and not 1 <= channel <= channels:
            there = "one channel" if channels == 1 else f"{channels} channels"
            raise UsageError(f"{name!r} has no channel {channel}: it has {there}, counted from 1")
        self.channels = channels
        self._name, self._channel, self._warn = name, channel, warn
        self._frame = round(LEVEL_SECONDS * rate)  # samples
        self._shares = np.full(channels, 1 / channels, np.float32)  # a product is faster than numpy's mean
        self._watching = channel is None and channels > 1
        self._pending: list[Samples] = []  # frames not yet measured
        self._powers: list[Samples] = []  # columns: each channel, then the mean
        self._measured = 0  # rows in `_powers`, one per LEVEL_SECONDS

    def push(self, frames: Samples) -> Samples:
        """Mix frames, shape (n, channels), down to mono, shape (n,)."""
        if self._channel is not None:
            return frames[:, self._channel - 1]
        if self.channels == 1:
            return frames[:, 0]
        with np.errstate(invalid="ignore"):  # OpenBLAS may report one among valid ones (numpy issue 24067)
            mono: Samples = frames @ self._shares
        if self._watching:
            self._watch(frames)
        return mono

    def finish(self) -> None:
        """Check the rest of the audio at the end of the stream."""
        if self._watching and self._pending:
            self._measure()
        if self._watching and self._measured * LEVEL_SECONDS >= MIN_COMPARED_SECONDS:
            self._check()

    def _watch(self, frames: Samples) -> None:
        self._pending.append(frames)
        if sum(map(len, self._pending)) >= LEVELS_AT_A_TIME * self._frame:
            self._measure()

    def _measure(self) -> None:
        """Measure the power of all pending frames."""
        pending = np.concatenate(self._pending)
        count = len(pending) // self._frame
        self._pending = [pending[count * self._frame :]]
        used = pending[: count * self._frame].reshape(count, self._frame, self.channels)[:, ::STRIDE]
        # each channel, then the mean
        signals = np.empty((self.channels + 1, count, used.shape[1]), np.float32)
        signals[:-1] = used.transpose(2, 0, 1)
        signals[-1] = signals[:-1].mean(axis=0)
        signals -= signals.mean(axis=2, keepdims=True)  # because a DC offset is not sound
        power = np.einsum("cij,cij->ic", signals, signals) / used.shape[1]  # much faster than numpy's `var`
        self._powers.append(power)
        self._measured += count
        if self._measured * LEVEL_SECONDS >= COMPARED_SECONDS:
            self._check()

    def _check(self) -> None:
        """Check the measured levels, and forget them."""
        power = np.concatenate(self._powers)
        self._powers, self._measured = [], 0
        problem = find_problem(self._name, power[:, :-1], power[:, -1])
        if problem:
            self._watching = False
            self._warn(f"{problem}, and kwsd listens to their mean: choose one with --channel")


def find_problem(name: str, channels: Samples, mean: Samples) -> str | None:
    """The problem with the mean of a source's channels, as the start of a sentence; None if there is none.

    channels, mean: their power over time, shapes (n, channels) and (n,).
    """
    count = channels.shape[1]
    total = channels.mean(axis=1)
    sounding = total > SILENCE_POWER
    if sounding.sum() * LEVEL_SECONDS < MIN_COMPARED_SECONDS:
        return None
    if mean[sounding].sum() < MIN_MEAN_POWER / count * total[sounding].sum():
        return f"the channels of {name!r} cancel each other out (one is inverted)"
    level = 10 * np.log10(channels + SILENCE_POWER)
    low, high = np.quantile(level, [0.1, 0.95], axis=0)
    for one, other in itertools.combinations(range(count), 2):
        voice, rest = (one, other) if high[one] - low[one] > high[other] - low[other] else (other, one)
        if high[voice] - low[voice] < MIN_SPEECH_RANGE or high[rest] < high[voice] - MIN_SEPARATION:
            continue
        if not level[:, rest].std() or np.corrcoef(level[:, voice], level[:, rest])[0, 1] < MIN_CORRELATION:
            return f"channels {one + 1} and {other + 1} of {name!r} carry different sounds"
    return None
