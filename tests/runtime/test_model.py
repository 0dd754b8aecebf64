from kwsd.runtime.model import BASELINE, STUDENT


def test_the_sizes_of_the_reference_models() -> None:
    assert BASELINE.parameters == 70_443  # as published
    assert STUDENT.parameters == 6_729
