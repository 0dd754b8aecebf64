"""Computes the multiply-adds (MACs) of each part of a model from its sizes. Needs no torch.

Only products of matrices and filters count. Biases, activations and the attention's running mean (a few
additions per step) do not.
"""

import math

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.embedding import EMBEDDING, EMBEDDING_N_FFT, EMBEDDING_N_MELS, GROUPS, STRIDE, TAPS
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS
from kwsd.runtime.model import Architecture
from kwsd.runtime.verifier import CONTEXT, HIDDEN


def macs_per_step(architecture: Architecture) -> int:
    """MACs of one step of the first stage: a convolution column, both GRU layers, energy, output."""
    return sum(
        math.prod(shape) * (architecture.bands if name == "conv.weight" else 1)
        for name, shape in architecture.shapes().items()
        if len(shape) > 1
    )


def macs_per_second(architecture: Architecture, step: int) -> float:
    """MACs of the first stage per second of audio, without the front end. step: frames between two steps."""
    return macs_per_step(architecture) * SAMPLE_RATE / HOP / step


def front_end_macs_per_frame() -> int:
    """MACs of one log-mel frame of the first stage."""
    return _log_mel_macs(N_FFT, N_MELS)


def _log_mel_macs(n_fft: int, n_mels: int) -> int:
    """MACs of one frame: window, real FFT (as N log2 N), power, mel filters (as a dense product)."""
    bins = n_fft // 2 + 1
    return n_fft + round(n_fft * math.log2(n_fft)) + 2 * bins + bins * n_mels


def macs_per_second_awake(heads: int) -> float:
    """MACs of the second stage per second of audio while it is awake: front end, embedding, heads."""
    return macs_per_embedding(heads) * SAMPLE_RATE / HOP / STRIDE


def macs_per_embedding(heads: int) -> int:
    """MACs of one more embedding, of its frames, and of scoring it."""
    frames, bands = STRIDE, EMBEDDING_N_MELS
    macs = frames * _log_mel_macs(EMBEDDING_N_FFT, bands)
    inputs = TAPS  # three neighbouring bands
    for outputs, axes, (pool_time, pool_bands) in GROUPS:
        for _ in axes:
            macs += TAPS * inputs * outputs * frames * bands
            inputs = outputs
        frames, bands = frames // pool_time, bands // pool_bands
    macs += TAPS * inputs * EMBEDDING * frames * bands
    return macs + heads * (CONTEXT * (EMBEDDING + HIDDEN) + 1) * HIDDEN
