import pytest
from evaluation import LOUD

from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model


@pytest.fixture
def model() -> Model:
    """Its keyword is loudness."""
    return read_model(LOUD)
