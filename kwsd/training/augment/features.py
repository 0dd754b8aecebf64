"""The log-mel front end in torch, equal to kwsd.runtime.frontend, and SpecAugment."""

from torch import Tensor, nn
from torchaudio.transforms import FrequencyMasking, MelSpectrogram, TimeMasking

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR


class LogMel(nn.Module):
    """Samples (batch, n) to log-mel frames (batch, frames, N_MELS)."""

    def __init__(self) -> None:
        super().__init__()
        self.mel = MelSpectrogram(SAMPLE_RATE, n_fft=N_FFT, hop_length=HOP, n_mels=N_MELS, center=False)

    def forward(self, samples: Tensor) -> Tensor:
        power: Tensor = self.mel(samples)
        return power.clamp(min=POWER_FLOOR).log().transpose(1, 2)


class SpecAugment(nn.Module):
    """Masks up to `bands` bands and `frames` frames of each example (Park et al. 2019, arXiv 1904.08779)."""

    def __init__(self, bands: int, frames: int) -> None:
        super().__init__()
        self.bands = FrequencyMasking(bands, iid_masks=True)
        self.frames = TimeMasking(frames, iid_masks=True)

    def forward(self, frames: Tensor) -> Tensor:
        """Mask frames, (batch, time, mels). Masked values become the mean of the example."""
        mean = frames.mean(dim=(1, 2), keepdim=True)
        image = (frames - mean).transpose(1, 2).unsqueeze(1)
        masked: Tensor = self.frames(self.bands(image)).squeeze(1).transpose(1, 2)
        return masked + mean
