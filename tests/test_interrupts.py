"""Ctrl-C while libsndfile reads, which calls back into Python."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.audio.file import FileSource
from kwsd.audio.formats.part import PartFile

HANGS = """
import os, signal, sys
from kwsd.audio.file import FileSource
from kwsd.audio.formats.part import PartFile

signal.signal(signal.SIGINT, signal.default_int_handler)
def hangs(*_):
    while True:
        signal.raise_signal(signal.SIGINT)
PartFile.readinto = hangs
FileSource(sys.argv[1])
"""


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """An audio file. Ctrl-C raises KeyboardInterrupt, which it does not in a background job of a shell."""
    path = tmp_path / "it.flac"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 160_000), 16_000)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield path
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [1, 2, 10])  # while it is opened, the latter while it is read
def test_ctrl_c_in_a_callback_is_raised(file: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = 0

    def interrupted(self: PartFile, buffer: memoryview) -> int:
        nonlocal calls
        calls += 1
        if calls == number:
            signal.raise_signal(signal.SIGINT)
        return readinto(self, buffer)

    readinto = PartFile.readinto
    monkeypatch.setattr(PartFile, "readinto", interrupted)
    with pytest.raises(KeyboardInterrupt), FileSource(file) as source:
        list(source)
    assert calls >= number
    with FileSource(file) as source:  # and nothing is left of it
        assert sum(len(chunk.samples) for chunk in source) == 160_000


def test_a_second_ctrl_c_ends_a_read_that_hangs(file: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS, file], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")
