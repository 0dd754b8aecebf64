"""`kwsd new`: from a keyword's text to a model that listens."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kwsd.cli.commands import cli
from kwsd.errors import UsageError
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.model import STUDENT
from kwsd.runtime.modelfile import read_model
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.speech_commands import read_audio
from kwsd.training.evaluate.streams import run_streams
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.release.release import Output
from kwsd.training.workflows.from_text import Speech, train_from_text

pytest.importorskip("espeakng_loader")

KEYWORD = "hey computer"


def small_recipe(**values: Any) -> Recipe:
    """A student, and few examples; labels, from which it learns soonest, weigh more."""
    augmentation = replace(Augmentation.for_synthetic_voices(), first_chunks=1, kept_chunks=2, chunk=256)
    teaching = Teaching(
        tune_embedding=False,
        heads=1,
        head_batches=100,
        posterior_weight=0.3,
        embedding_weight=0.1,
        label_weight=1.0,
    )
    return Recipe(STUDENT, augmentation=augmentation, teaching=teaching, **values)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The model, and the folder of what was spoken for it."""
    folder = tmp_path_factory.mktemp("new")
    out, work = folder / "hey.pt", folder / "speech"
    speech = Speech(work, keyword=100, near_misses=250, sentences=20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kwsd.training.synthesis.engines.flite.shutil.which", lambda _: None)  # no flite
        train_from_text(KEYWORD, speech, small_recipe(epochs=11), Output(out), fa_per_hour=1000)
    return out, work


def test_the_model_hears_voices_it_was_not_trained_on(made: tuple[Path, Path]) -> None:
    out, work = made
    model = read_model(out)
    assert model.keyword == KEYWORD
    unheard, _ = Recordings.spoken(work, KEYWORD, None, (), ()).words("dev-test")
    detector = Detector(model)
    heard = 0
    for clip in unheard:
        detector.warm_up()
        heard += bool(detector.feed(np.pad(read_audio(clip.path), (0, FINAL_SILENCE_SAMPLES))))
    assert heard > len(unheard) / 2


def test_voices_do_not_cross_splits(made: tuple[Path, Path]) -> None:
    recordings = Recordings.spoken(made[1], KEYWORD, None, (), ())
    splits: dict[str, set[str]] = {}
    for clip in recordings.tree:
        splits.setdefault(clip.speaker, set()).add(clip.split)
    assert all(len(sides) == 1 for sides in splits.values())
    assert set.union(*splits.values()) == {"training", "validation", "dev-test"}
    trained = {clip.path for clip in recordings.tree if clip.split == "training"}
    assert set(recordings.hard) <= trained


def test_streams_hold_every_word_once_in_quiet(made: tuple[Path, Path]) -> None:
    recordings = Recordings.spoken(made[1], KEYWORD, None, (), ())
    positives, _ = run_streams(recordings, "validation", snr=10)
    assert len(positives) == len(recordings.words("validation")[0])


def test_without_praat_it_trains_on_fewer_voices_and_says_so(
    made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "parselmouth", None)  # as if it were not installed
    augmentation = Augmentation.for_synthetic_voices()
    scenes = Recordings.spoken(made[1], KEYWORD, None, (), ()).scenes(augmentation)
    assert scenes.draw(8, np.random.default_rng(0)).audio.any()

    def nobody(*_: object) -> None:
        raise UsageError("nobody speaks")

    monkeypatch.setattr("kwsd.training.workflows.from_text.speak", nobody)
    result = CliRunner().invoke(cli, ["new", KEYWORD, "--out", str(tmp_path / "a.pt")])
    assert result.output.splitlines() == [
        "praat-parselmouth is not installed, so the model is trained on fewer voices"
    ]
    assert "nobody speaks" in str(result.exception)
