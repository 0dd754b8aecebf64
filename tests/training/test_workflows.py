"""Evaluating, tuning, mining and scoring as Python calls them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from evaluation import LOUD, at, burst

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model
from kwsd.training.workflows.mine import mine_folders
from kwsd.training.workflows.progress import Silent
from kwsd.training.workflows.score import score
from kwsd.training.workflows.streams import ConditionFolders, evaluate_streams, read_stream_folders
from kwsd.training.workflows.tune import tune_model


@pytest.fixture
def model() -> Model:
    return read_model(LOUD)


class Counted(Silent):
    """Counts what is done in a stage, and what it announced."""

    total, done = 0, 0

    @contextmanager
    def stage(self, name: str, total: int | None = None, done: int = 0) -> Iterator[None]:  # noqa: ARG002
        self.total = total or 0
        yield

    def batch(self) -> None:
        self.done += 1


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Loud bursts as the keyword, soft ones without it."""
    positives, negatives = tmp_path / "positives", tmp_path / "negatives"
    for folder, level in ((positives, 0.2), (negatives, 1e-4)):
        folder.mkdir()
        for number in range(3):
            soundfile.write(folder / f"{number}.wav", burst(level), SAMPLE_RATE)
    return positives, negatives


def test_streams_are_read_evaluated_and_tuned_on(
    model: Model, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    streams = read_stream_folders((folders[0],), (folders[1],))
    point = at(evaluate_streams(model, streams), 0.5)
    assert (point.positives, point.missed, point.false_alarms) == (3, 0, 0)
    progress = Counted()
    settings, best = tune_model(str(LOUD), streams, tmp_path / "tuned.pt", progress=progress)
    assert progress.done == progress.total == 12 * (3 + 1)  # settings, streams
    assert read_model(tmp_path / "tuned.pt").settings == settings
    assert best.missed == 0


def test_a_folder_is_mined(model: Model, folders: tuple[Path, Path], tmp_path: Path) -> None:
    counts = mine_folders(model, (folders[0],), tmp_path / "mined", 0.5)
    assert sum(counts) == len(list((tmp_path / "mined").glob("*.flac"))) > 0


def test_the_steps_of_joined_files_are_those_of_their_samples(
    model: Model, folders: tuple[Path, Path]
) -> None:
    files = sorted(folders[0].iterdir())
    steps = list(score(files, Detector(model)))
    detector = Detector(model)
    detector.warm_up()
    audio = np.concatenate([soundfile.read(file, dtype="int16")[0] for file in files])
    expected = list(detector.steps(np.concatenate((audio, np.zeros(SAMPLE_RATE // 2, np.int16)))))
    assert [step.posterior for step in steps] == pytest.approx([step.posterior for step in expected])


def test_noise_needs_a_level_and_a_level_noise(folders: tuple[Path, Path]) -> None:
    for conditions, told in (
        (ConditionFolders(noise=(folders[0],)), "noise needs snr"),
        (ConditionFolders(snr=5), "snr needs noise"),
    ):
        with pytest.raises(UsageError, match=told):
            read_stream_folders((folders[0],), (folders[1],), conditions=conditions)


def test_folders_without_recordings_are_named(folders: tuple[Path, Path], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match=f"no recordings with the keyword in {empty}"):
        read_stream_folders((empty,), (folders[1],))
    with pytest.raises(
        UsageError, match=f"no recordings without the keyword in the testing split of {empty}"
    ):
        read_stream_folders((folders[0],), (empty,), "testing")
    with pytest.raises(UsageError, match=f"no recordings to mine in {empty}"):
        mine_folders(read_model(LOUD), (empty,), tmp_path / "mined")
