"""Work in parallel: the same results in the same order, whatever the backend."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from evaluation import LOUD, burst, negative, placed

from kwsd.errors import KwsdError, ModelError, UsageError
from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.modelfile import read_model
from kwsd.training.evaluate.curve import curve
from kwsd.training.evaluate.mining import mine
from kwsd.training.parallel import parallel, workers

pytest.importorskip("joblib")

NEEDED = {"loky": "joblib", "dask": "distributed", "ray": "ray"}


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.mark.filterwarnings("default")  # the backends' own
@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(not is_installed(module), reason=f"{module} is not installed")
        )
        for name, module in NEEDED.items()
    ],
)
def test_every_backend_gives_equal_results(backend: str, tmp_path: Path) -> None:
    model, random = read_model(LOUD), np.random.default_rng(0)
    positives = [placed(level) for level in (0.2, 0.05, 0.01, 0.001)]
    negatives = [negative(burst(0.05)), negative(burst(0.002))]
    files = [tmp_path / f"{number}.flac" for number in range(3)]
    for file in files:
        soundfile.write(file, random.normal(0, 0.1, 2 * SAMPLE_RATE), SAMPLE_RATE)
    alone = curve(model, positives, negatives)
    mine(model, files, tmp_path / "alone", 0.5, lambda *_: None)
    mined: list[Path] = []
    with workers(backend, jobs=2):
        assert curve(model, positives, negatives, jobs=2) == alone
        mine(model, files, tmp_path / backend, 0.5, lambda path, _: mined.append(path), jobs=2)
    assert mined == files
    clips, others = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("alone", backend)
    )
    assert clips == others
    assert len(clips) > 1


def test_results_are_in_the_order_of_the_items() -> None:
    exponents = [3_000_000, 1, 2, 3]  # the first takes longest
    assert [number % 100 for number in parallel(partial(pow, 3), exponents, 2)] == [1, 3, 9, 27]


def test_joblibs_own_configuration_is_used() -> None:
    import joblib

    with joblib.parallel_config("threading", n_jobs=2):
        assert list(parallel(lambda number: number + 1, range(4))) == [1, 2, 3, 4]


def test_an_error_in_a_worker_is_raised_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^[^\n]*absent.pt: no such file$"):
        list(parallel(read_model, [LOUD, tmp_path / "absent.pt"], 2))


def test_a_worker_that_dies_is_one_line() -> None:
    with pytest.raises(KwsdError, match=r"^a worker process died, .*fewer jobs$"):
        list(parallel(os._exit, [1, 1], 2))


def test_without_joblib_there_is_one_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "joblib", None)
    assert list(parallel(abs, [-1, 2])) == list(parallel(abs, [-1, 2], 1)) == [1, 2]
    with pytest.raises(UsageError, match=r"needs joblib: pip install '\.\[parallel\]' in the folder"):
        list(parallel(abs, [-1, 2], 2))
    with pytest.raises(UsageError, match="needs joblib"), workers(jobs=2):  # before any work
        pass


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_backend_that_is_not_installed(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NEEDED[backend], None)
    with pytest.raises(UsageError, match=rf"^the backend {backend} needs .*: pip install "), workers(backend):
        pass


def test_an_address_needs_a_cluster() -> None:
    with (
        pytest.raises(UsageError, match="add --backend dask or"),
        workers(address="tcp://10.0.0.1:8786"),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
def test_ctrl_c_ends_the_command_and_its_workers(tmp_path: Path) -> None:
    for name, seconds in (("positives", 1), ("negatives", 600)):
        (tmp_path / name).mkdir()
        audio = np.random.default_rng(0).normal(0, 0.05, seconds * SAMPLE_RATE)
        for number in range(4):
            soundfile.write(tmp_path / name / f"{number}.flac", audio, SAMPLE_RATE)
    folders = ["--positives", str(tmp_path / "positives"), "--negatives", str(tmp_path / "negatives")]
    command = [sys.executable, "-m", "kwsd", "evaluate", "--model", str(LOUD), *folders, "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert [line for line in said.splitlines() if line.strip() and " so far" not in line] == []
    for _ in range(50):  # until no process of its group is left
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("a worker is left")
