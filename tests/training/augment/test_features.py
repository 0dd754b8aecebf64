import numpy as np
import torch

from kwsd.runtime.frontend import N_MELS, FrontEnd
from kwsd.training.augment.features import LogMel, SpecAugment


def test_front_ends_agree() -> None:
    random = np.random.default_rng(0)
    loud = random.normal(0, 0.1, 16_000).astype(np.float32)
    faint = np.round(random.normal(0, 2, 16_000)).astype(np.float32) / 32768
    audio = np.concatenate((loud, np.zeros(4_000, np.float32), faint))
    torch_frames = LogMel()(torch.from_numpy(audio)[None])[0]
    np.testing.assert_allclose(FrontEnd().push(audio), torch_frames.numpy(), atol=2e-3)


def test_masks_are_a_few_bands_and_a_few_frames_of_each_example_and_say_its_mean() -> None:
    torch.manual_seed(0)
    frames = 1.0 + 4 * torch.randint(2, (200, 60, N_MELS))  # none is near the mean, 3
    masked = SpecAugment(bands=6, frames=10)(frames)
    widths = []
    for before, after in zip(frames, masked, strict=True):
        changed = (before - after).abs() > 1
        assert torch.allclose(after[changed], before.mean())
        assert torch.allclose(after[~changed], before[~changed])
        bands, times = (changed.all(dim=dim).nonzero()[:, 0].tolist() for dim in (0, 1))
        for places in (bands, times):
            assert places == list(range(places[0], places[0] + len(places))) if places else True
        assert changed.sum() == len(bands) * 60 + len(times) * N_MELS - len(bands) * len(times)
        widths.append((len(bands), len(times)))
    assert max(bands for bands, _ in widths) in (5, 6)
    assert max(times for _, times in widths) in (9, 10)
    assert len(set(widths)) > 20  # each example has its own
