"""Scores of clips, exactly as the runtime gives them: the highest posterior over the clip's steps.

A clip is heard after the silence that warms the window (Detector.warm_up) and with half a second of silence
behind it, as `kwsd listen --input CLIP` hears it.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from kwsd.pcm import to_float32
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES
from kwsd.runtime.frontend import HOP, N_FFT, FrontEnd
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.recipe import check_window
from kwsd.training.nn.crnn import CRNN


def warm_up_samples(kernel: int, window: int, step: int) -> int:
    """Samples of silence after which an attention window is warm: those of its last step's last frame."""
    frames = kernel + (window - 1) * step
    return (frames - 1) * HOP + N_FFT


def clip_frames(audio: npt.NDArray[np.int16], kernel: int, window: int, step: int) -> Tensor:
    """Frames of clips between the silences, by the runtime's front end.

    audio: (clips, n) int16. Returns (clips, frames, N_MELS) float32. Raises UsageError as `check_window`.
    """
    check_window(window, step)
    lead = warm_up_samples(kernel, window, step)
    padded = np.zeros(lead + audio.shape[1] + FINAL_SILENCE_SAMPLES, np.float32)
    front_end, frames = FrontEnd(), []
    for clip in audio:
        padded[lead : lead + len(clip)] = to_float32(clip)
        front_end.reset()
        frames.append(front_end.push(padded))
    return torch.from_numpy(np.stack(frames))


def clip_scores(
    crnn: CRNN, frames: Tensor, window: int, step: int, batch: int = 256
) -> npt.NDArray[np.float64]:
    """Highest log-odds of the keyword over each clip's steps, (clips,); those of the warm-up are left out.

    Log-odds, because posteriors near 0 and 1 tie in float32, which would lose ranks. Rounded, because clips
    whose highest step is silence tie, and would otherwise be ranked by how a machine adds float32.
    """
    scores = []
    crnn.eval()
    with torch.inference_mode():
        for part in torch.split(frames, batch):
            logits = crnn(part, window, step)[:, window:].double()
            scores.append((logits[..., 1] - logits[..., 0]).amax(dim=1))
    return torch.cat(scores).numpy().round(4)


def split_scores(
    crnn: CRNN, recordings: Recordings, split: str, window: int, step: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Log-odds of the split's clips with and without the keyword."""
    kernel = crnn.architecture.kernel[1]
    keyword, others = (
        clip_scores(crnn, clip_frames(audio, kernel, window, step), window, step)
        for audio in recordings.clips(split)
    )
    return keyword, others
