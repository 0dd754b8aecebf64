"""The heads of a verifier."""

import numpy as np
import pytest
from verifiers import HEADS, weights

from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.embedding import STRIDE_SAMPLES, EmbeddingStream
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


def heads(made: dict[str, Array]) -> Heads:
    return Heads(made, EmbeddingStream(made, AudioHistory(0)))


def test_the_heads_score_each_embedding_with_nine_before_it() -> None:
    made = weights(bias=0.3)
    random = np.random.default_rng(1)
    for name in made:
        if name.endswith("bias"):
            made[name] = random.normal(-1, 2, made[name].shape).astype(np.float32)
    embeddings = random.normal(0, 3, (14, 96)).astype(np.float32)
    odds = heads(made).log_odds(embeddings)
    assert odds.shape == (5,)
    np.testing.assert_allclose(odds, odds_of(made, embeddings), rtol=1e-3, atol=1e-3)


def test_the_mean_of_the_heads_counts() -> None:
    made = weights()
    embeddings = np.random.default_rng(1).normal(0, 3, (10, 96)).astype(np.float32)
    each = []
    for head in range(HEADS):
        alone = {name: w if name[:4] in ("conv", "mel") else w[[head]] for name, w in made.items()}
        each.append(heads(alone).log_odds(embeddings))
    np.testing.assert_allclose(heads(made).log_odds(embeddings), np.mean(each, axis=0), rtol=1e-4)


@pytest.mark.parametrize("pushed", [3, 10])
def test_scores_are_those_of_their_numbers_in_any_order(pushed: int) -> None:
    made = weights()
    history = AudioHistory(30 * STRIDE_SAMPLES)
    sound = np.random.default_rng(0).normal(0, 0.2, 30 * STRIDE_SAMPLES).astype(np.float32)
    embeddings = EmbeddingStream(made, history)
    stream, read = heads(made), 0
    stream._embeddings = embeddings
    for start in range(0, 30, pushed):
        history.push(sound[start * STRIDE_SAMPLES :][: pushed * STRIDE_SAMPLES])
        stop = min(start + pushed, 28)
        while read < stop:
            found = stream.read(max(0, read - 1), read + 1)
            np.testing.assert_allclose(
                found[-1:], stream.log_odds(embeddings.read(read - 9, read + 1)), atol=1e-4
            )
            assert len(found) == min(read, 1) + 1
            read += 1


def test_the_shapes_of_a_verifier_in_plain_numbers() -> None:
    made = shapes(3)
    assert sum(int(np.prod(shape)) for shape in made.values()) == 478_243
    layers = [
        made[f"{layer}.{part}"] for layer in ("each", "together", "output") for part in ("weight", "bias")
    ]
    assert layers == [(3, 96, 64), (3, 1, 64), (3, 640, 64), (3, 1, 64), (3, 64, 1), (3, 1, 1)]
