"""Recordings of the word by its users ("takes"): what the heads see of them."""

from collections.abc import Iterator

import numpy as np
import soundfile

from kwsd.pcm import SAMPLE_RATE, Samples, to_float32
from kwsd.resources import shared
from kwsd.runtime.audio_history import MAX_PUSH_SAMPLES, AudioHistory
from kwsd.runtime.embedding import EMBEDDING, EmbeddingStream
from kwsd.runtime.model import Array
from kwsd.runtime.verifier import CONTEXT, Heads
from kwsd.training.data.reader import Audio
from kwsd.training.teaching.bonus import Windows

BEFORE, AFTER = SAMPLE_RATE, 3 * SAMPLE_RATE // 4  # samples of silence around a recording
SILENCE = 1e-4  # amplitude of the noise in it: three steps of int16
QUIET = 0.3  # amplitude of a recording that is made quieter
SNR = 12.0  # dB of a recording above the noise that is added to it
BEST = 2  # windows of a recording that are taken for the word: those with the highest score
AT_ONCE = 8  # embeddings that are read at a time


def speech_windows(weights: dict[str, Array]) -> Windows:
    """Windows of the synthetic sentences that come with kwsd, by the embedding of a verifier."""
    audio, _ = soundfile.read(shared("sounds") / "sentences.ogg", dtype="float32")
    return windows(embeddings(audio, weights))


def word_windows(audio: Audio, verifier: dict[str, Array]) -> Windows:
    """What the heads see at the end of the word: as it is, in noise, and quieter.

    audio: a recording of the word. Other words may precede it.
    """
    random = np.random.default_rng(0)
    found = []
    for variant in variants(to_float32(audio), random):
        seen = embeddings(variant, verifier)
        scores = heads(verifier).log_odds(seen)
        found.append(windows(seen)[np.argsort(-scores, kind="stable")[:BEST]])
    return np.concatenate(found)


def variants(audio: Samples, random: np.random.Generator) -> Iterator[Samples]:
    """A recording between silence: as it is, in noise, and quieter."""
    around = audio_between_silence(audio, random)
    yield around
    yield in_noise(around, SNR, random)
    yield np.float32(QUIET) * around


def audio_between_silence(audio: Samples, random: np.random.Generator) -> Samples:
    """A recording with BEFORE and AFTER samples of almost silence around it."""
    padded = np.pad(audio, (BEFORE, AFTER))
    padded += (SILENCE * random.standard_normal(len(padded))).astype(np.float32)
    return padded


def in_noise(audio: Samples, snr: float, random: np.random.Generator) -> Samples:
    """Audio with pink noise `snr` dB below the mean power of the louder half of its samples."""
    spectrum = np.fft.rfft(random.standard_normal(len(audio)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)).clip(1)), len(audio))
    power = np.square(audio, dtype=np.float64)
    speech = power[power >= np.median(power)].mean()
    gain = np.sqrt(speech / np.square(noise).mean() * 10 ** (-snr / 10))
    mixed: Samples = audio + (gain * noise).astype(np.float32)
    return mixed


def embeddings(audio: Samples, weights: dict[str, Array]) -> Array:
    """All embeddings of a recording, (n, EMBEDDING). Those at its beginning have also seen silence."""
    history = AudioHistory(len(audio))
    for start in range(0, len(audio), MAX_PUSH_SAMPLES):
        history.push(audio[start : start + MAX_PUSH_SAMPLES])
    stream = EmbeddingStream(weights, history)
    count = stream.available
    parts = [stream.read(first, min(first + AT_ONCE, count)) for first in range(0, count, AT_ONCE)]
    return np.concatenate([np.empty((0, EMBEDDING), np.float32), *parts])


def windows(seen: Array) -> Windows:
    """The windows of consecutive embeddings, (n - CONTEXT + 1, CONTEXT, EMBEDDING)."""
    return np.lib.stride_tricks.sliding_window_view(seen, CONTEXT, axis=0).swapaxes(1, 2)


def heads(verifier: dict[str, Array]) -> Heads:
    """The heads of a verifier, for embeddings that are at hand."""
    return Heads(verifier, EmbeddingStream(verifier, AudioHistory(0)))
