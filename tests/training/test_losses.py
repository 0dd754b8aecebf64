"""The losses, in plain numbers: which steps count, how much, and in which direction."""

from math import exp, log
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import BASELINE, Architecture
from kwsd.training.augment.pool import Scenes
from kwsd.training.fit.losses import (
    DistillationLoss,
    HeadDistillationLoss,
    label_loss,
    near_word_end,
    negative_loss,
    step_ends,
)
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.teacher import head_loss

STUDENT = Architecture(channels=4, kernel=(9, 20), stride=(4, 10), hidden=20)
RECIPE = Recipe(STUDENT)  # from 0.1 s before the word's end to 0.25 s after it
STEP = STUDENT.stride[1]
SECONDS = 0.1  # of STEP


def softplus(x: float) -> float:
    return log(1 + exp(x))


def divergence(teacher: float, student: float, temperature: float) -> float:
    """T squared times KL(teacher, student) of two posteriors softened by T."""
    p, q = (1 / (1 + exp(-odds / temperature)) for odds in (teacher, student))
    return temperature**2 * (p * log(p / q) + (1 - p) * log((1 - p) / (1 - q)))


def scenes(keyword: list[bool], onset: float, end: float, **annotations: Tensor) -> Scenes:
    """As many scenes as `keyword` has values, all with the word at the same place."""
    count = len(keyword)
    frames = torch.zeros(count, 1, 1)
    return Scenes(
        frames, torch.tensor(keyword), torch.full((count,), onset), torch.full((count,), end), annotations
    )


def logits(odds: list[list[float]]) -> Tensor:
    """(batch, steps, 2) with these log-odds: only the difference of the two counts."""
    yes = torch.tensor(odds, dtype=torch.float32)
    return torch.stack((torch.full_like(yes, 1.5), yes + 1.5), dim=2)


class Student:
    """Gives what it was told to, at any frames."""

    def __init__(self, odds: list[list[float]], energy: list[list[float]] | None = None) -> None:
        self.logits = logits(odds).requires_grad_()
        self.energy = torch.tensor(energy or odds)

    def attend(self, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
        return self.logits, self.energy, torch.zeros(*self.energy.shape, STUDENT.hidden)

    def __call__(self, *_: Any) -> Tensor:
        return self.logits


def test_a_step_ends_with_its_last_sample() -> None:
    assert step_ends(BASELINE, 3, 8).tolist() == pytest.approx([0.215, 0.295, 0.375])  # 20 frames, 8 apart
    assert step_ends(STUDENT, 2, 5).tolist() == pytest.approx([0.215, 0.265])


def test_near_the_word_is_from_a_tenth_before_its_end_to_a_quarter_after() -> None:
    ends = torch.tensor([1.45, 1.55, 1.60, 1.84, 1.86])
    found = near_word_end(ends, scenes([True, False], 1.0, 1.6), RECIPE)
    assert found.tolist() == [[False, True, True, True, False], [False] * 5]


ENDS = [1.0, 1.14, 1.3, 1.45, 1.55, 1.7, 1.8, 1.9]  # onset 1, end 1.6: two are before the word, three near


@pytest.mark.parametrize(
    ("keyword", "odds", "wanted"),
    [
        # the two highest of the three near the end say yes; the two steps before say no, over half the steps
        (
            True,
            [1, -1, 5, 5, 0.5, -0.5, 2, 5],
            (softplus(-2) + softplus(-0.5)) / 2 + (softplus(1) + softplus(-1)) / 4,
        ),
        # the highest counts as much as the mean of all
        (
            False,
            [1, -1, 0, 0, 0, 0, 0, 2],
            softplus(2) / 2 + (softplus(1) + softplus(-1) + softplus(2) + 5 * log(2)) / 16,
        ),
    ],
)
def test_the_labels_loss_of_one_scene(keyword: bool, odds: list[float], wanted: float) -> None:
    loss = label_loss(logits([odds]), torch.tensor(ENDS), scenes([keyword], 1.0, 1.6), RECIPE)
    assert loss.item() == pytest.approx(wanted, rel=1e-5)


def test_the_labels_loss_is_the_scenes_mean() -> None:
    odds = [[1.0, -1, 5, 5, 0.5, -0.5, 2, 5], [1.0, -1, 0, 0, 0, 0, 0, 2]]
    each = [
        label_loss(logits([row]), torch.tensor(ENDS), scenes([keyword], 1.0, 1.6), RECIPE).item()
        for row, keyword in zip(odds, (True, False), strict=True)
    ]
    both = label_loss(logits(odds), torch.tensor(ENDS), scenes([True, False], 1.0, 1.6), RECIPE).item()
    assert both == pytest.approx(sum(each) / 2, rel=1e-5)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_share_of_a_negatives_loss_is_that_of_its_highest_step(share: float) -> None:
    loss = negative_loss(torch.tensor([[0.0, 2.0], [1.0, 1.0]]), share)
    mean = (softplus(0) + softplus(2)) / 2
    assert loss.tolist() == pytest.approx([share * softplus(2) + (1 - share) * mean, softplus(1)], rel=1e-5)


def test_a_word_with_one_step_near_it_is_asked_for_that_one() -> None:
    loss = label_loss(
        logits([[0.0, 3.0, 0.0]]), torch.tensor([1.3, 1.6, 2.0]), scenes([True], 1.0, 1.6), RECIPE
    )
    assert loss.item() == pytest.approx(softplus(-3) / 2, rel=1e-5)


def test_the_labels_push_the_word_up_and_all_else_down() -> None:
    network = Student([[0.0] * 8, [0.0] * 8])
    label_loss(network.logits, torch.tensor(ENDS), scenes([True, False], 1.0, 1.6), RECIPE).backward()
    assert network.logits.grad is not None
    keyword, other = network.logits.grad[..., 1].sign().tolist()
    assert keyword[:4] == [1, 1, 0, 0]  # a step down the gradient lowers the first two; the next are free
    assert sorted(keyword[4:7]) == [-1, -1, 0]
    assert keyword[7] == 0
    assert other == [1] * 8


# ends of eight steps: 0.215, 0.315 ... 0.915; the keyword ends at 0.5, so 0.815 and 0.915 are free
TAUGHT = 6


def teachers(odds: list[list[float]], energy: list[list[float]] | None = None) -> dict[str, Tensor]:
    """Their answers, at the student's own steps."""
    ends = step_ends(STUDENT, len(odds[0]), STEP).expand(len(odds), -1)
    return {"odds": torch.tensor(odds), "energy": torch.tensor(energy or odds), "ends": ends}


@pytest.mark.parametrize("keyword", [True, False])
def test_the_soft_loss_is_over_the_steps_that_a_teacher_knows_of(keyword: bool) -> None:
    student, teacher = [0.5, -1, 2, 0, 1, -2, 3, 1], [1.0, -3, 4, 1, 1, 2, -1, -4]
    known = scenes([keyword], 0.1, 0.5, **teachers([teacher]))
    loss = DistillationLoss(temperature=3.0, alpha=1.0)(Student([student]), known, STEP, RECIPE)  # type: ignore[arg-type]
    steps = TAUGHT if keyword else 8
    pairs = list(zip(teacher, student, strict=True))[:steps]
    assert loss.item() == pytest.approx(SECONDS * sum(divergence(*pair, 3.0) for pair in pairs), rel=1e-4)


def test_alpha_weighs_the_soft_loss_against_the_labels() -> None:
    student, teacher = [[0.5, -1, 2, 0, 1, -2, 3, 1]], [[1.0, -3, 4, 1, 1, 2, -1, -4]]
    known = scenes([False], 0.1, 0.5, **teachers(teacher))

    def loss(alpha: float) -> float:
        return DistillationLoss(2.0, alpha)(Student(student), known, STEP, RECIPE).item()  # type: ignore[arg-type]

    hard = label_loss(logits(student), step_ends(STUDENT, 8, STEP), known, RECIPE).item()
    assert loss(0) == pytest.approx(hard, rel=1e-5)
    assert loss(0.3) == pytest.approx(0.3 * loss(1) + 0.7 * hard, rel=1e-5)


def test_the_soft_loss_is_the_mean_over_scenes() -> None:
    student, teacher = [0.5, -1, 2, 0], [1.0, -3, 4, 1]
    one = scenes([False], 0.1, 0.5, **teachers([teacher]))
    two = scenes([False, False], 0.1, 0.5, **teachers([teacher, teacher]))
    objective = DistillationLoss(2.0, 1.0)
    single = objective(Student([student]), one, STEP, RECIPE).item()  # type: ignore[arg-type]
    assert objective(Student([student] * 2), two, STEP, RECIPE).item() == pytest.approx(single)  # type: ignore[arg-type]


def test_the_soft_loss_pulls_a_student_towards_its_teacher() -> None:
    network = Student([[0.0, 0.0, 0.0, 0.0]])
    known = scenes([False], 0.1, 0.5, **teachers([[3.0, -3.0, 1.0, 0.0]]))
    DistillationLoss(2.0, 1.0)(network, known, STEP, RECIPE).backward()  # type: ignore[arg-type]
    assert network.logits.grad is not None
    assert network.logits.grad[0, :, 1].sign().tolist() == [-1, 1, -1, 0]


def test_the_attention_loss_is_the_mean_over_the_steps_near_the_word() -> None:
    student, teacher = [0.0] * 8, [0.0, 1, -1, 2, 0, 3, 1, 5]
    known = scenes([True, False], 0.1, 0.5, **teachers([[0.0] * 8] * 2, [teacher] * 2))
    recipe = Recipe(STUDENT, window=2)
    loss = DistillationLoss(2.0, 1.0, attention=3.0)(
        Student([[0.0] * 8] * 2, [student] * 2), known, STEP, recipe
    )  # type: ignore[arg-type]

    def window(last: int) -> float:  # of two steps, looked at alike by the student
        weights = [exp(teacher[i]) for i in (last - 1, last)]
        return sum(w / sum(weights) * log(2 * w / sum(weights)) for w in weights)

    # near the end, 0.5: the steps that end at 0.415, 0.515, 0.615 and 0.715
    assert loss.item() == pytest.approx(3.0 * sum(window(last) for last in (2, 3, 4, 5)) / 4, rel=1e-4)


class Head(nn.Module):
    """Its log-odds are the embeddings' first number and `more`, and embeddings are normal as they are."""

    def __init__(self, more: float = 0.0) -> None:
        super().__init__()
        self.more = more

    def forward(self, embeddings: Tensor) -> Tensor:
        no = torch.full_like(embeddings[..., 0], -0.5)
        return torch.stack((no, no + embeddings[..., 0] + self.more), dim=2)

    def normalized(self, embeddings: Tensor) -> Tensor:
        return embeddings


def from_heads(
    odds: list[list[float]],
    keyword: list[bool],
    soft: float,
    heard: float,
    hard: float,
    student: float = 0.0,
    heads: tuple[Head, ...] = (Head(),),
) -> float:
    """The loss of a student that answers `student` at 16 steps; the heads hear `odds`, at 0.782, 0.862 ..."""
    embeddings = torch.zeros(len(odds), len(odds[0]), EMBEDDING)
    embeddings[..., 0] = torch.tensor(odds)
    teaching = Teaching(posterior_weight=soft, embedding_weight=heard, label_weight=hard, temperature=2.0)
    objective = HeadDistillationLoss([*heads], nn.Identity(), STUDENT.hidden, teaching)  # type: ignore[arg-type]
    nn.init.zeros_(objective.projection.weight)
    nn.init.constant_(objective.projection.bias, 0.5)
    known = scenes(keyword, 0.3, 0.8, embedding=embeddings)
    return objective(Student([[student] * 16] * len(odds)), known, STEP, RECIPE).item()  # type: ignore[arg-type]


# heads hear from 0.782 to 1.262 s: the student's steps that end at 0.815, 0.915 ... 1.215, five of 16.
# Past 0.35 s after the keyword's end, 0.8, they are free: the one at 1.215
def test_a_student_learns_the_heads_answers_where_they_heard_and_know() -> None:
    constant = [[2.0] * 7]
    each = SECONDS * divergence(2.0, 0.0, 2.0)
    assert from_heads(constant, [False], 1.0, 0.0, 0.0) == pytest.approx(5 * each, rel=1e-4)
    assert from_heads(constant, [True], 1.0, 0.0, 0.0) == pytest.approx(4 * each, rel=1e-4)
    assert from_heads(constant, [True], 0.3, 0.0, 0.0) == pytest.approx(0.3 * 4 * each, rel=1e-4)
    apart = SECONDS * divergence(2.0, 1.0, 2.0)
    assert from_heads(constant, [False], 1.0, 0.0, 0.0, 1.0) == pytest.approx(5 * apart, rel=1e-4)


def test_the_loss_of_heads_is_the_mean_over_scenes() -> None:
    one, two = ([[2.0] * 7] * count for count in (1, 2))
    for weights in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)):
        single = from_heads(one, [True], *weights)
        assert from_heads(two, [True, True], *weights) == pytest.approx(single, rel=1e-5)


def test_a_student_learns_the_mean_of_the_heads() -> None:
    wanted = 5 * SECONDS * divergence(3.0, 0.0, 2.0)
    two = (Head(), Head(2.0))
    assert from_heads([[2.0] * 7], [False], 1.0, 0.0, 0.0, heads=two) == pytest.approx(wanted, rel=1e-4)


def test_a_student_learns_what_the_heads_heard() -> None:
    wanted = ((0.5 - 2.0) ** 2 + (EMBEDDING - 1) * 0.5**2) / EMBEDDING  # of 0.5 everywhere
    assert from_heads([[2.0] * 7], [True], 0.0, 1.0, 0.0) == pytest.approx(wanted, rel=1e-4)
    assert from_heads([[2.0] * 7], [True], 0.0, 0.3, 0.0) == pytest.approx(0.3 * wanted, rel=1e-4)
    # at the five steps that they heard only: at the last of them, 1.215, the 4 at 1.262 is 1.65
    late = (5 * (EMBEDDING - 1) * 0.5**2 + 4 * 0.5**2 + (0.5 - 1.65) ** 2) / (5 * EMBEDDING)
    assert from_heads([[0.0] * 6 + [4.0]], [True], 0.0, 1.0, 0.0) == pytest.approx(late, rel=1e-3)


def test_a_student_of_heads_learns_the_labels_too() -> None:
    labels = label_loss(
        logits([[0.0] * 16]), step_ends(STUDENT, 16, STEP), scenes([True], 0.3, 0.8), RECIPE
    ).item()
    assert from_heads([[2.0] * 7], [True], 0.0, 0.0, 0.4) == pytest.approx(0.4 * labels, rel=1e-5)
    assert labels > 0.5


def test_heads_may_say_yes_a_little_later_than_the_student() -> None:
    embeddings = torch.zeros(1, 7, EMBEDDING)
    embeddings[0, 4, 0] = embeddings[0, 5, 0] = 4.0  # at 1.102 and 1.182, 0.30 and 0.38 s after the end
    loss = head_loss(Head(), embeddings, scenes([True], 0.3, 0.8), RECIPE, Teaching())
    assert loss.item() == pytest.approx((softplus(-4) + softplus(0)) / 2, rel=1e-4)


def test_the_highest_step_has_the_heads_own_weight() -> None:
    embeddings = torch.zeros(1, 7, EMBEDDING)
    embeddings[0, 4, 0] = 2.0
    loss = head_loss(Head(), embeddings, scenes([False], 0.3, 0.8), RECIPE, Teaching(head_highest_share=1.0))
    assert loss.item() == pytest.approx(softplus(2), rel=1e-4)
