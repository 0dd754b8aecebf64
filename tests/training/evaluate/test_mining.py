"""Mining: what fires is kept, where it fired, and once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.cli.commands import cli
from kwsd.errors import UsageError
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import read_model
from kwsd.runtime.verifier import Heads, shapes
from kwsd.training.evaluate.conditions import AcousticConditions
from kwsd.training.evaluate.mining import mine
from kwsd.training.workflows.mine import mine_folders
from kwsd.training.workflows.streams import ConditionFolders

LOUD = Path(__file__).parents[2] / "loud.pt"


def test_false_alarms_are_kept_and_files_gone_through_once(tmp_path: Path) -> None:
    loud = np.zeros(5 * 16_000)
    loud[48_000:56_000] = 0.2 * np.random.default_rng(0).standard_normal(8_000)
    soundfile.write(tmp_path / "loud.flac", loud, 16_000)
    soundfile.write(tmp_path / "quiet.flac", np.full(16_000, 1e-3), 16_000)
    files, out = [tmp_path / "loud.flac", tmp_path / "quiet.flac"], tmp_path / "mined"
    found: list[tuple[str, int]] = []

    def on_file(path: Path, count: int) -> None:
        found.append((path.stem, count))

    mine(read_model(LOUD), files, out, 0.5, on_file)
    assert found == [("loud", 1), ("quiet", 0)]
    [clip] = out.glob("*.flac")
    seconds = float(clip.stem.removeprefix("loud@"))
    assert 3.0 < seconds < 3.6
    audio, rate = soundfile.read(clip)
    assert (len(audio), rate) == (40_000, 16_000)
    heard = (
        np.flatnonzero(np.abs(audio) > 0.01)[0] / rate
    )  # the burst begins at 3 s; the clip 2 s before the trigger
    assert heard == pytest.approx(3.0 - (seconds - 2.0), abs=0.02)

    mine(read_model(LOUD), files, out, 0.5, on_file)
    assert len(found) == 2

    hiss = np.random.default_rng(1).integers(-9_000, 9_000, 80_000).astype(np.int16)
    mine(read_model(LOUD), files, out, 0.5, on_file, AcousticConditions([hiss], 20.0))
    assert [stem for stem, _ in found[2:]] == ["loud", "quiet"]
    [noisy] = out.glob("loud@*-20dB.flac")
    audio, _ = soundfile.read(noisy)
    fired = float(noisy.stem.removeprefix("loud@").removesuffix("-20dB"))
    assert fired < 2.4  # this model fires at any sound, and the burst comes at 3 s
    assert np.abs(audio[32_000:]).mean() > 1e-4


def test_a_folder_mined_with_another_model_or_threshold_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "loud.flac", np.random.default_rng(0).normal(0, 0.2, 32_000), 16_000)
    model, out, found = read_model(LOUD), tmp_path / "mined", list[int]()

    def mined(model: Model, threshold: float) -> None:
        mine(model, [tmp_path / "loud.flac"], out, threshold, lambda _, count: found.append(count))

    mined(model, 0.5)
    kept = {path: path.read_bytes() for path in out.iterdir()}
    other = replace(model, weights=model.weights | {"output.bias": model.weights["output.bias"] + 0.1})
    for another, threshold in ((model, 0.4), (other, 0.5)):
        with pytest.raises(UsageError, match="mined was mined with another model or threshold"):
            mined(another, threshold)
    missing = ConditionFolders((tmp_path / "missing",), 10.0)
    with pytest.raises(UsageError, match="another model or threshold"):  # before anything is read
        mine_folders(model, (tmp_path,), out, 0.4, missing)
    assert {path: path.read_bytes() for path in out.iterdir()} == kept
    mined(model, 0.5)
    assert len(found) == 1


def test_the_second_stage_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it refuses today is to be learned all the same."""
    monkeypatch.setattr(Heads, "log_odds", lambda *_: pytest.fail("asked"))
    loud = read_model(LOUD)
    verified = replace(
        loud, verifier={name: np.zeros(shape, np.float32) for name, shape in shapes(1).items()}
    )
    burst = 0.2 * np.random.default_rng(0).standard_normal(16_000)
    soundfile.write(tmp_path / "loud.flac", np.concatenate((np.zeros(16_000), burst)), 16_000)
    found: list[int] = []
    mine(verified, [tmp_path / "loud.flac"], tmp_path / "mined", 0.5, lambda _, count: found.append(count))
    assert found == [1]


def test_every_file_begins_after_silence(tmp_path: Path) -> None:
    burst = 0.2 * np.random.default_rng(0).standard_normal(8_000)
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.flac", np.concatenate((burst, np.zeros(8_000))), 16_000)
    found: list[int] = []
    files = [tmp_path / "a.flac", tmp_path / "b.flac"]
    mine(read_model(LOUD), files, tmp_path / "mined", 0.5, lambda _, count: found.append(count))
    assert found == [1, 1]
    times = {path.stem.partition("@")[2] for path in (tmp_path / "mined").glob("*.flac")}
    assert len(times) == 1
    assert float(times.pop()) < 0.6


def test_what_stays_below_the_threshold_is_left(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "soft.flac", np.random.default_rng(0).normal(0, 0.01, 16_000), 16_000)
    found: list[int] = []
    for threshold in (0.9, 1.0):  # its highest posterior is 0.9999
        out = tmp_path / str(threshold)
        mine(read_model(LOUD), [tmp_path / "soft.flac"], out, threshold, lambda _, count: found.append(count))
    assert found == [1, 0]


def test_one_step_above_the_threshold_is_enough(tmp_path: Path) -> None:
    loud = np.concatenate((np.zeros(16_000), 0.2 * np.random.default_rng(0).standard_normal(8_000)))
    soundfile.write(tmp_path / "loud.flac", loud, 16_000)
    model, found = read_model(LOUD), list[int]()
    patient = replace(model, settings=model.settings.override(patience=100))
    mine(patient, [tmp_path / "loud.flac"], tmp_path / "mined", 0.5, lambda _, count: found.append(count))
    assert found == [1]


def test_a_folder_of_which_nothing_is_mined_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    line = [
        "mine",
        "--model",
        "happy",
        "--negatives",
        str(tmp_path / "empty"),
        "--out",
        str(tmp_path / "out"),
    ]
    with pytest.raises(UsageError, match=r"no recordings to mine in .*empty: some are kept"):
        cli.main(line, standalone_mode=False)
    assert not (tmp_path / "out").exists()
