from kwsd.runtime.model import BASELINE, STUDENT


def test_the_reference_models_have_their_published_sizes() -> None:
    assert BASELINE.parameters == 70_443
    assert STUDENT.parameters == 6_967
