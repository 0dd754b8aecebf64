"""The windows that heads are trained on, and the loss on them, in plain numbers."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import STUDENT
from kwsd.training.augment.pool import Scenes
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.teacher import train_heads, window_loss
from kwsd.training.fit.windows import Windows, WordEnds, other_windows

RECIPE = Recipe(STUDENT, early=0.1, late=0.35, onset=0.15)
SHORT = Teaching(heads=1, head_batches=60)
COUNT = 20  # embeddings in an example; the one with number n ends 0.782 + 0.08 n seconds into it


def numbered(pieces: int, first: int = 0) -> Tensor:
    """Pieces of COUNT embeddings, all numbers of which are its own number, counted from `first`."""
    numbers = torch.arange(first, first + pieces * COUNT, dtype=torch.float16)
    return numbers.reshape(pieces, COUNT, 1).expand(-1, -1, EMBEDDING)


def examples(*words: tuple[bool, float, float], first: int = 0) -> Scenes:
    """Examples with these (keyword, onset, end)."""
    keyword, onset, end = (torch.tensor(values) for values in zip(*words, strict=True))
    embeddings = numbered(len(words), first)
    return Scenes(torch.zeros(len(words), 1, 1), keyword, onset, end, {"embedding": embeddings})


def all_of(windows: Windows) -> list[list[float]]:
    """The numbers of the embeddings of every window."""
    drawn = windows.draw(100 * len(windows), np.random.default_rng(0))
    return sorted({tuple(window[:, 0].tolist()) for window in drawn})  # type: ignore[arg-type]


def last(windows: Windows) -> list[int]:
    """The number of the last embedding of every window."""
    return [int(window[-1]) for window in all_of(windows)]


def test_every_whole_window_of_a_piece_is_drawn() -> None:
    speech = numbered(2)
    windows = Windows([(speech, torch.ones(2, COUNT, dtype=torch.bool))])
    assert len(windows) == 2 * 11
    assert all_of(windows) == [tuple(range(end - 9, end + 1)) for end in (*range(9, 20), *range(29, 40))]


def test_only_wanted_windows_are_drawn_and_each_source_counts_by_its_windows() -> None:
    wanted = torch.zeros(1, COUNT, dtype=torch.bool)
    wanted[0, [3, 12]] = True  # no whole window ends at 3
    parts = [(numbered(1), wanted), (numbered(1, 100), torch.ones(1, COUNT, dtype=torch.bool))]
    windows = Windows(parts)
    assert last(windows) == [12, *range(109, 120)]
    drawn = windows.draw(12_000, np.random.default_rng(1))[:, -1, 0]
    assert (drawn == 12).sum().item() == pytest.approx(1_000, rel=0.2)


def test_windows_without_the_keyword_are_those_of_others_those_before_it_and_all_speech() -> None:
    # onset 1.5 + 0.15 s: up to the embedding that ends at 0.782 + 0.08 * 10
    scenes = examples((True, 1.5, 2.0), (False, 0.0, 0.0))
    assert last(other_windows([scenes], RECIPE, None)) == [9, 10, *range(29, 40)]
    assert last(other_windows([scenes], RECIPE, numbered(1, 100))) == [
        9,
        10,
        *range(29, 40),
        *range(109, 120),
    ]


def test_the_steps_near_the_end_of_a_word() -> None:
    # near are ends from 1.7 - 0.1 to 1.7 + 0.35 s: the embeddings 11 (1.662 s) to 15 (1.982 s)
    words = WordEnds([examples((True, 1.0, 1.7), (False, 1.0, 1.7))], RECIPE)
    assert len(words) == 1
    spans, near = words.draw(1, np.random.default_rng(0))
    assert spans[0, :, 0].tolist() == [*range(2, 17)]  # whose windows end at 11 to 16
    assert near.tolist() == [[True] * 5 + [False]]


def test_a_word_whose_end_has_no_whole_window_is_left_out() -> None:
    # too early for ten embeddings before its end; too late for all six steps after it; and between
    words = WordEnds([examples((True, 0.5, 1.5), (True, 1.5, 2.3), (True, 1.0, 1.9))], RECIPE)
    assert len(words) == 1


def test_the_loss_is_the_mean_over_words_and_the_mean_over_other_windows() -> None:
    words = torch.tensor([[5.0, 1.0, 2.0, 9.0], [-1.0, 3.0, 0.0, 0.0]])
    near_end = torch.tensor([[False, True, True, False], [True, True, True, False]])
    heard = [math.log1p(math.exp(-odds)) for odds in (2.0, 1.0, 3.0, 0.0)]  # the two highest of each
    others = torch.tensor([-4.0, 1.0, 0.5])
    refused = [math.log1p(math.exp(odds)) for odds in others.tolist()]
    expected = sum(heard) / 4 + sum(refused) / 3
    assert window_loss(words, near_end, others).item() == pytest.approx(expected)


def test_a_word_with_one_step_near_its_end_counts_with_that_step() -> None:
    near_end = torch.tensor([[False, True, False]])
    loss = window_loss(torch.tensor([[7.0, 0.0, 7.0]]), near_end, torch.tensor([-30.0]))
    assert loss.item() == pytest.approx(math.log(2))


def keyword_odds(speech: Tensor | None, teaching: Teaching = SHORT) -> float:
    """What a head says of the keyword, which is ones, after training against minus ones and `speech`."""
    keyword = torch.ones(1, COUNT, EMBEDDING, dtype=torch.float16)
    scenes = Scenes(
        torch.zeros(64, 1, 1),
        torch.arange(64) < 32,
        torch.full((64,), 0.9),
        torch.full((64,), 1.7),
        {"embedding": torch.cat([keyword.repeat(32, 1, 1), -keyword.repeat(32, 1, 1)])},
    )

    class Pool:
        chunks = (scenes,)

        def move(self, epoch: int) -> None: ...

    [head] = train_heads(Pool(), speech, RECIPE, teaching)  # type: ignore[arg-type]
    with torch.no_grad():
        return head.odds(keyword.float()).mean().item()


def test_heads_learn_to_refuse_running_speech() -> None:
    """A head that was trained with speech that sounds like the keyword is less sure of it than another."""
    like_the_keyword = torch.ones(16, COUNT, EMBEDDING, dtype=torch.float16)
    assert keyword_odds(like_the_keyword) < keyword_odds(None) - 2


def test_the_log_odds_are_lowered_after_training(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered = keyword_odds(None)
    monkeypatch.setattr("kwsd.training.fit.teacher.RARITY", 0.0)
    assert lowered == pytest.approx(keyword_odds(None) - 3, abs=1e-4)


def test_how_late_the_word_may_be_heard_is_the_heads_own_number() -> None:
    short = Teaching(heads=1, head_batches=60, head_late=0.1)
    assert keyword_odds(None, short) != keyword_odds(None)


def test_a_word_just_inside_is_kept() -> None:
    # first near are the embeddings 9 (1.502 s), which ends the first whole window, and 14 (1.902 s), after
    # which there are five more; 8 and 15 are outside
    ends = [(True, 0.5, 1.55), (True, 0.5, 1.45), (True, 0.5, 1.95), (True, 0.5, 2.05)]
    kept = [len(WordEnds([examples(one, (True, 1.0, 1.7))], RECIPE)) - 1 for one in ends]
    assert kept == [1, 0, 1, 0]


def test_heads_begin_from_weights_of_their_own_and_of_the_seed() -> None:
    class Pool:
        chunks = (examples((True, 1.0, 1.7), (False, 0.0, 0.0)),)

        def move(self, epoch: int) -> None: ...

    # so small a rate that they stay where they begin
    few = Teaching(heads=2, head_batches=2, head_words=4, head_others=8, head_rate=1e-9)

    def weights(seed: int) -> list[Tensor]:
        recipe = Recipe(STUDENT, early=0.1, late=0.35, onset=0.15, seed=seed)
        heads = train_heads(Pool(), None, recipe, few)  # type: ignore[arg-type]
        for head in heads:  # the mean of the negatives: 11 windows of the embeddings 20 to 39
            assert head.normal.get_buffer("running_mean")[0].item() == pytest.approx(29.5, abs=0.5)
        return [head.each.weight.detach() for head in heads]

    first, again, other = weights(0), weights(0), weights(1)
    assert all(map(torch.equal, first, again))
    every = [*first, *other]
    assert not any(torch.allclose(every[i], every[j], atol=1e-3) for i in range(4) for j in range(i))
