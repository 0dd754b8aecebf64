"""The warning of the BLAS with which Debian's torch is slow."""

from pathlib import Path

import pytest

from kwsd.errors import UsageError
from kwsd.training.workflows import blas, machine
from kwsd.training.workflows.progress import SILENT
from kwsd.training.workflows.run import NO_SOURCES, read_recordings

LINE = "7f4a8cad4000-7f4a8caf0000 r-xp 0000a000 fe:00 1311 "


def warnings(maps: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[str]:
    monkeypatch.setattr(blas, "MAPS", maps)
    caplog.clear()
    blas.warn_of_slow_blas(SILENT)
    return caplog.messages


def test_only_a_blas_that_is_slow_with_torch_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    maps = tmp_path / "maps"
    for library, is_slow in (
        ("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.12.1", True),
        ("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3", True),
        ("/usr/lib/x86_64-linux-gnu/openblas-openmp/libblas.so.3", False),
        ("/home/me/my blas/torch/lib/libtorch_cpu.so", False),
    ):
        maps.write_text(f"7f4a8c000000-7f4a8c021000 rw-p 00000000 00:00 0 \n{LINE}    {library}\n")
        told = warnings(maps, monkeypatch, caplog)
        assert [f"torch uses {library}," in line for line in told] == [True] * is_slow
    assert not warnings(tmp_path / "none", monkeypatch, caplog)


def test_training_warns_before_it_reads_and_new_before_it_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    maps = tmp_path / "maps"
    maps.write_text(f"{LINE}    /usr/lib/aarch64-linux-gnu/blas/libblas.so.3\n")
    monkeypatch.setattr(blas, "MAPS", maps)
    with pytest.raises(UsageError):
        read_recordings(tmp_path / "none", "rise", NO_SOURCES, SILENT)
    machine.check_machine(tmp_path, SILENT)
    assert sum("training takes up to ten times as long" in line for line in caplog.messages) == 2
