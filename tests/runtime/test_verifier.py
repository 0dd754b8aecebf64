"""The heads of a verifier."""

import numpy as np
from verifiers import HEADS, weights

from kwsd.runtime.model import Array
from kwsd.runtime.verifier import Heads, shapes


def odds_of(w: dict[str, Array], embeddings: np.ndarray) -> list[float]:
    """What the heads score at each embedding with nine before it."""
    answers = []
    for end in range(10, len(embeddings) + 1):
        heads = []
        for head in range(len(w["each.weight"])):
            seen = embeddings[end - 10 : end] @ w["each.weight"][head] + w["each.bias"][head]
            joined = seen.clip(min=0).ravel() @ w["together.weight"][head] + w["together.bias"][head, 0]
            heads.append(
                float(joined.clip(min=0) @ w["output.weight"][head, :, 0] + w["output.bias"][head, 0, 0])
            )
        answers.append(sum(heads) / len(heads))
    return answers


def test_the_heads_score_each_embedding_with_nine_before_it() -> None:
    made = weights(bias=0.3)
    random = np.random.default_rng(1)
    for name in made:
        if name.endswith("bias"):
            made[name] = random.normal(-1, 2, made[name].shape).astype(np.float32)
    embeddings = random.normal(0, 3, (14, 96)).astype(np.float32)
    odds = Heads(made).log_odds(embeddings)
    assert odds.shape == (5,)
    np.testing.assert_allclose(odds, odds_of(made, embeddings), rtol=1e-3, atol=1e-3)


def test_the_mean_of_the_heads_counts() -> None:
    made = weights()
    embeddings = np.random.default_rng(1).normal(0, 3, (10, 96)).astype(np.float32)
    each = []
    for head in range(HEADS):
        alone = {name: w if name[:4] in ("conv", "mel") else w[[head]] for name, w in made.items()}
        each.append(Heads(alone).log_odds(embeddings))
    np.testing.assert_allclose(Heads(made).log_odds(embeddings), np.mean(each, axis=0), rtol=1e-4)


def test_the_shapes_of_a_verifier_in_plain_numbers() -> None:
    made = shapes(3)
    assert sum(int(np.prod(shape)) for shape in made.values()) == 478_243
    heads = [
        made[f"{layer}.{part}"] for layer in ("each", "together", "output") for part in ("weight", "bias")
    ]
    assert heads == [(3, 96, 64), (3, 1, 64), (3, 640, 64), (3, 1, 64), (3, 64, 1), (3, 1, 1)]
