import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Categorical, kl_divergence

from kwsd.runtime.model import BASELINE, STUDENT
from kwsd.training.fit.distillation import teacher_annotator
from kwsd.training.fit.losses import attention_divergence, interpolate_at, odds_divergence, step_ends
from kwsd.training.nn.crnn import CRNN


@given(teacher=st.floats(-9, 9), student=st.floats(-9, 9), temperature=st.floats(1, 10))
def test_soft_loss_is_kl_at_temperature_times_its_square(
    teacher: float, student: float, temperature: float
) -> None:
    t, s = (torch.tensor(x, dtype=torch.float64) for x in (teacher, student))
    wanted = kl_divergence(Bernoulli(logits=t / temperature), Bernoulli(logits=s / temperature))
    torch.testing.assert_close(odds_divergence(t, s, temperature), wanted * temperature**2)


def test_attention_loss_is_kl_over_each_window() -> None:
    torch.manual_seed(0)
    teacher, student = torch.randn(2, 3, 9)
    wanted = [
        kl_divergence(
            Categorical(logits=teacher[:, first : last + 1]), Categorical(logits=student[:, first : last + 1])
        )
        for last in range(9)
        for first in [max(0, last - 3)]
    ]
    torch.testing.assert_close(attention_divergence(teacher, student, 4), torch.stack(wanted, dim=1))
    assert attention_divergence(teacher, teacher + 5, 4).abs().max() < 1e-6


def test_answers_are_interpolated_in_time_and_held_at_the_ends() -> None:
    known = torch.tensor([1.0, 2.0, 3.0])
    values = torch.tensor([[0.0, 10.0, 0.0], [1.0, 1.0, 5.0]])
    found = interpolate_at(torch.tensor([0.0, 1.0, 1.25, 2.5, 3.0, 9.0]), values, known)
    torch.testing.assert_close(
        found, torch.tensor([[0.0, 0.0, 2.5, 5.0, 0.0, 0.0], [1.0, 1.0, 1.0, 3.0, 5.0, 5.0]])
    )


def test_teachers_speak_as_one() -> None:
    torch.manual_seed(0)
    teachers = [CRNN(BASELINE) for _ in range(2)]
    frames = torch.randn(3, 200, 40)
    with torch.no_grad():
        annotations = teacher_annotator(teachers, 20)(torch.empty(3, 0), frames)
        logits = torch.stack([teacher(frames, 20) for teacher in teachers]).mean(dim=0)
    torch.testing.assert_close(annotations["odds"], logits[..., 1] - logits[..., 0])
    energy = torch.stack([teacher.attend(frames, 20)[1] for teacher in teachers]).mean(dim=0)
    torch.testing.assert_close(annotations["energy"], energy.detach())
    torch.testing.assert_close(annotations["ends"][0], step_ends(BASELINE, logits.shape[1], 8))


def test_a_student_at_the_teachers_steps_gets_its_answers_as_they_are() -> None:
    torch.manual_seed(0)
    teacher = CRNN(STUDENT)
    frames = torch.randn(3, 200, 40)
    with torch.no_grad():
        annotations = teacher_annotator([teacher], 20)(torch.empty(3, 0), frames)
    ends = step_ends(STUDENT, annotations["odds"].shape[1], STUDENT.stride[1])
    torch.testing.assert_close(
        interpolate_at(ends, annotations["odds"], annotations["ends"][0]),
        annotations["odds"],
        atol=1e-4,
        rtol=1e-4,
    )
