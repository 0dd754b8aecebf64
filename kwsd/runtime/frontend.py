"""The log-mel front end: samples in, frames out, one frame every 10 ms.

16 kHz, n_fft = window = 400 (periodic Hann), hop 160, not centred, power spectrum, 40 HTK mel bands from
0 to 8 kHz without normalization, natural log of the clamped power. The same as
``torchaudio.transforms.MelSpectrogram(16000, n_fft=400, hop_length=160, n_mels=40, center=False)``.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from kwsd.pcm import SAMPLE_RATE, Samples

N_FFT = 400  # 25 ms, in samples
HOP = 160  # 10 ms, in samples: from the start of a frame to the start of the next
N_MELS = 40  # bands of a frame
POWER_FLOOR = 1e-6  # above the power of 16-bit rounding noise (1e-8), so that all silence looks the same

Frames = npt.NDArray[np.float32]  # log-mel, shape (frames, N_MELS)


def mel_filterbank() -> npt.NDArray[np.float64]:
    """Triangular filters on the HTK mel scale, 2595 log10(1 + f / 700). Shape (N_FFT // 2 + 1, N_MELS)."""
    bins = np.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1)
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, N_MELS + 2) / 2595) - 1)
    rising = (bins[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - bins[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling))


@cache
def _constants() -> tuple[Samples, Frames]:
    """The Hann window, times N_FFT (see `FrontEnd.push`), and the mel filters, which all front ends share."""
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)
    return (N_FFT * hann).astype(np.float32), mel_filterbank().astype(np.float32)


class FrontEnd:
    """Turns a stream of samples into frames. It keeps the samples that the next frame needs."""

    def __init__(self) -> None:
        self._hann, self._filters = _constants()
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._held: Samples = np.empty(0, np.float32)

    @property
    def held(self) -> int:
        """Number of samples kept for the next frame."""
        return len(self._held)

    def push(self, samples: Samples) -> Frames:
        """Take the next samples, shape (n,), full scale 1. Returns the frames that they complete."""
        held = np.concatenate((self._held, samples))
        count = max(0, (len(held) - N_FFT) // HOP + 1)
        self._held = held[count * HOP :]
        if count == 0:
            return np.empty((0, N_MELS), np.float32)
        size = held.itemsize
        windows = np.ndarray(
            (count, N_FFT), held.dtype, held, strides=(HOP * size, size)
        )  # overlapping views
        # divided by N_FFT, a float32: without `norm` it is multiplied by 1, an int, which takes numpy longer
        power = np.square(np.abs(np.fft.rfft(windows * self._hann, norm="forward")))
        mels: Frames = np.log(np.maximum(power.dot(self._filters), POWER_FLOOR))
        return mels
