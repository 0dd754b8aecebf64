"""Heads on the embedding, and what a CRNN learns from them; the embedding is played by a plain function."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import STUDENT
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.pool import Annotator, StillPool
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.fit.losses import HeadDistillationLoss
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.teacher import (
    Head,
    embedding_annotator,
    fine_tuned_heads,
    frozen_features_annotator,
    train_heads,
)
from kwsd.training.fit.trainer import Trainer
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.embedding import SpeechEmbedding, embedding_ends

RECIPE = Recipe(STUDENT, epochs=2, batches=30, batch=64)


def loudness(audio: Tensor, _: Tensor) -> dict[str, Tensor]:
    """An "embedding" that hears level only."""
    level = audio.unfold(1, 12480, 1280).square().mean(dim=2, keepdim=True).log().clamp(min=-20)
    spread = torch.linspace(-1, 1, EMBEDDING)
    return {"embedding": (level * spread + 0.01 * torch.randn(*level.shape[:2], EMBEDDING)).half()}


def pool(annotator: Annotator = loudness, chunk: int = 512) -> StillPool:
    random = np.random.default_rng(0)
    loud = [(random.normal(size=8000) * 9000).astype(np.int16) for _ in range(8)]
    soft = [(random.normal(size=8000) * 60).astype(np.int16) for _ in range(8)]
    scenes = SceneMaker(loud, soft, [], np.concatenate(soft), [], Augmentation(first_chunks=1, chunk=chunk))
    return StillPool(scenes, 0, annotator)


def test_heads_learn_the_keyword_and_the_crnn_learns_the_heads() -> None:
    still = pool()
    heads = train_heads(still, None, RECIPE, Teaching(head_batches=200))
    scenes = still.batch(256, np.random.default_rng(1))
    with torch.no_grad():
        logits = heads[0](scenes.annotations["embedding"].float())
    best = (logits[..., 1] - logits[..., 0]).amax(dim=1)
    assert (best[scenes.keyword].min() > best[~scenes.keyword].max()).item()

    torch.manual_seed(0)
    objective = HeadDistillationLoss([*heads], nn.Identity(), STUDENT.hidden, Teaching())  # type: ignore[arg-type]
    before = objective.projection.weight.detach().clone()
    fixed = [p.detach().clone() for p in objective.heads.parameters()]
    trainer = Trainer(
        RECIPE, still, (np.ones((2, 16000), np.int16), np.ones((2, 16000), np.int16)), None, objective
    )
    first = objective(CRNN(STUDENT), scenes, STUDENT.stride[1], RECIPE).item()
    trainer.run(lambda _: None)
    assert objective(trainer.crnn, scenes, STUDENT.stride[1], RECIPE).item() < 0.7 * first
    assert not torch.equal(before, objective.projection.weight)  # it learns with the CRNN
    for then, now in zip(fixed, objective.heads.parameters(), strict=True):
        assert torch.equal(then, now)


def test_heads_that_wait_for_a_checkpoint_teach_without_noise_and_keep_their_normalization() -> None:
    """A resumed run makes new heads, in training mode, and loads the trained weights into them."""
    heads = [Head(Teaching()) for _ in range(2)]
    objective = HeadDistillationLoss([*heads], nn.Identity(), STUDENT.hidden, Teaching())  # type: ignore[arg-type]
    embeddings = 3 + torch.randn(2, 30, EMBEDDING)
    first, second = (torch.stack([head(embeddings) for head in objective.heads]) for _ in range(2))
    assert torch.equal(first, second)
    assert not heads[0].normal.get_buffer("running_mean").any()


def test_a_head_answers_for_what_it_has_heard_so_far() -> None:
    head = Head(Teaching()).eval()
    embeddings = torch.randn(2, 30, EMBEDDING)
    whole = head(embeddings)
    torch.testing.assert_close(head(embeddings[:, :12]), whole[:, :12])
    assert whole.shape == (2, 30, 2)
    assert embedding_ends(1).item() < 0.8


def test_whole_windows_are_scored_as_in_a_stream() -> None:
    head = Head(Teaching()).eval()
    embeddings = torch.randn(2, 30, EMBEDDING)
    logits = head(embeddings)
    torch.testing.assert_close(head.odds(embeddings), (logits[..., 1] - logits[..., 0])[:, 9:])


def test_a_fixed_normalization_stays_in_training() -> None:
    head = Head(Teaching(noise=0.0, dropout=0.0))
    head.fix_normalization(5 + 2 * torch.randn(200, 10, EMBEDDING))
    normal = head.normalized(5 + 2 * torch.randn(200, 10, EMBEDDING))
    assert normal.mean().item() == pytest.approx(0, abs=0.05)
    assert normal.std().item() == pytest.approx(1, abs=0.05)
    alone = torch.randn(1, 10, EMBEDDING)
    torch.testing.assert_close(head.normalized(alone)[0], head.normalized(torch.cat([alone, 9 * alone]))[0])


def test_a_head_hears_noise_while_it_learns_and_none_afterwards() -> None:
    head = Head(Teaching(dropout=0.0))
    embeddings = torch.randn(4, 30, EMBEDDING)
    assert not torch.equal(head(embeddings), head(embeddings))
    head.eval()
    assert torch.equal(head(embeddings), head(embeddings))


def test_where_people_say_the_keyword_the_upper_groups_of_the_embedding_learn_it_too() -> None:
    embedding = SpeechEmbedding()
    before = {name: value.clone() for name, value in embedding.state_dict().items()}
    heads = fine_tuned_heads(
        embedding, pool(frozen_features_annotator(embedding), 256), RECIPE, Teaching(tuning_batches=60)
    )

    changed = {name for name, value in embedding.state_dict().items() if not torch.equal(before[name], value)}
    assert changed == {name for name in before if name.startswith("upper.")}
    assert not any(p.requires_grad for p in embedding.parameters())
    heard = pool(embedding_annotator(embedding), 256)
    heard.move(0)
    scenes = heard.batch(256, np.random.default_rng(1))
    with torch.no_grad():
        logits = torch.stack([head(scenes.annotations["embedding"].float()) for head in heads]).mean(dim=0)
    best = (logits[..., 1] - logits[..., 0]).amax(dim=1)
    assert best[scenes.keyword].mean() > best[~scenes.keyword].mean() + 2
