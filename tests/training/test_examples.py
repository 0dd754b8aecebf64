"""The examples run."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest

from kwsd.runtime.modelfile import read_model
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.fit.recipe import Teaching

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_verified.py"


def test_a_verified_model_is_trained_from_python(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = importlib.util.spec_from_file_location("train_verified", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    sooner = {"embedding_weight": 0.1, "label_weight": 0.0}
    teaching = Teaching(heads=1, tuning_batches=60, tuning_chunks=1, first_chunks=1, **sooner)  # type: ignore[arg-type]
    few = Augmentation(first_chunks=1, kept_chunks=2, chunk=256)
    recipe = replace(example.RECIPE, epochs=5, teaching=teaching, augmentation=few)
    out = example.main(str(tree), "rise", str(tree / "fall"), str(tmp_path / "rise.pt"), recipe)
    model = read_model(out)
    assert (model.keyword, model.architecture) == ("rise", recipe.architecture)
    assert model.verifier is not None
    assert model.facts["recipe"]["teaching"]["tuning_batches"] == 60
    assert out.with_suffix(".md").exists()
    assert capsys.readouterr().out == ""  # the default progress draws nothing
