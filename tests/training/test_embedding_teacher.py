"""Which pool of examples the network learns from when heads teach it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import NoReturn

import pytest

from kwsd.runtime.model import STUDENT
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.workflows import embedding_teacher
from kwsd.training.workflows.progress import SILENT


@pytest.mark.parametrize(("new_examples", "kind"), [(True, "ScenePool"), (False, "StillPool")])
def test_only_with_new_examples_does_each_epoch_add_some(
    new_examples: bool, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(name: str) -> Callable[..., NoReturn]:
        def stop(*_: object) -> NoReturn:
            raise RuntimeError(name)

        return stop

    for name in ("ScenePool", "StillPool"):
        monkeypatch.setattr(embedding_teacher, name, made(name))
    recipe = Recipe(STUDENT, teaching=Teaching(new_examples=new_examples))
    recordings = SimpleNamespace(scenes=lambda *_: None)
    with pytest.raises(RuntimeError, match=kind):
        embedding_teacher.trainer_with_teacher(recordings, recipe, None, SILENT)  # type: ignore[arg-type]
