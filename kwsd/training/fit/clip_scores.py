"""Scores clips exactly as the runtime does: a score is the highest posterior over the steps of the clip.

A clip is scored after the silence that fills the window (Detector.warm_up) and before half a second of
silence, as in `kwsd listen --input CLIP`.
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
    """Samples of silence that fill an attention window, up to the last frame of its last step."""
    frames = kernel + (window - 1) * step
    return (frames - 1) * HOP + N_FFT


def clip_frames(audio: npt.NDArray[np.int16], kernel: int, window: int, step: int) -> Tensor:
    """Log-mel frames of clips, with silence before and after each, from the runtime's front end.

    audio: (clips, n) int16. Returns (clips, frames, N_MELS) float32. Raises UsageError as `check_window`
    does.
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
    """Highest log-odds of the keyword over the steps of each clip after the warm-up, (clips,).

    Scores are log-odds, because posteriors near 0 and 1 would tie in float32. They are rounded, because clips
    whose highest step is silence must tie, and not be ranked by rounding errors that depend on the machine.
    """
    scores = []
    crnn.eval()
    with torch.inference_mode():
        for part in torch.split(frames, batch):
            logits = crnn(part, window, step)[:, window:].double()
            scores.append((logits[..., 1] - logits[..., 0]).amax(dim=1))
    return torch.cat(scores).numpy(force=True).round(4)


def split_scores(
    crnn: CRNN, recordings: Recordings, split: str, window: int, step: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Log-odds of the clips of a split with the keyword, (n,), and without it, (m,)."""
    kernel = crnn.architecture.kernel[1]
    keyword, others = (
        clip_scores(crnn, clip_frames(audio, kernel, window, step), window, step)
        for audio in recordings.clips(split)
    )
    return keyword, others
