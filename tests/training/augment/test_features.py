import numpy as np
import torch

from kwsd.runtime.frontend import FrontEnd
from kwsd.training.augment.features import LogMel


def test_front_ends_agree() -> None:
    random = np.random.default_rng(0)
    loud = random.normal(0, 0.1, 16_000).astype(np.float32)
    faint = np.round(random.normal(0, 2, 16_000)).astype(np.float32) / 32768
    audio = np.concatenate((loud, np.zeros(4_000, np.float32), faint))
    torch_frames = LogMel()(torch.from_numpy(audio)[None])[0]
    np.testing.assert_allclose(FrontEnd().push(audio), torch_frames.numpy(), atol=2e-3)
