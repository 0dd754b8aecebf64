"""Which words are offered, and with which threshold."""

import shutil
from pathlib import Path

import pytest
from harness import LOUD

pytest.importorskip("wyoming")

from kwsd.errors import UsageError
from kwsd.wyoming.address import Address
from kwsd.wyoming.service import WakeService, WyomingOptions
from kwsd.wyoming.words import ModelFolder, Thresholds


def service(models: Path | None, thresholds: Thresholds) -> WakeService:
    address = Address.parse("tcp://127.0.0.1")
    return WakeService(WyomingOptions(address, (str(LOUD), "jarvis"), models, thresholds, 10, None, 1))


def test_a_word_has_its_own_threshold_or_that_of_all(tmp_path: Path) -> None:
    shutil.copy(LOUD, tmp_path / "shout.pt")
    words = service(tmp_path, {None: 0.7, "jarvis": 0.8, "shout": 0.9}).words.by_name
    assert {name: word.settings.threshold for name, word in words.items()} == {
        "loud": 0.7,
        "jarvis": 0.8,
        "shout": 0.9,
    }


def test_a_threshold_of_no_word_is_refused_unless_the_word_may_still_come(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UsageError, match="no word has this name; the words are: loud, jarvis"):
        service(None, {"jarvs": 0.8})
    service(tmp_path, {"jarvs": 0.8})
    assert "jarvs=...: no word has this name" in caplog.text


def test_a_link_to_nothing_keeps_no_other_word_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    models, disk = tmp_path / "models", tmp_path / "disk"
    for each in (models, disk):
        each.mkdir()
    (models / "shout.pt").symlink_to(disk / "shout.pt")
    shutil.copy(LOUD, models / "cry.pt")
    folder = ModelFolder(models, {})
    assert folder.scan()
    assert not folder.scan()
    assert list(folder.words) == ["cry"]
    assert caplog.messages == [f"not offered: {models / 'shout.pt'}: no such file"]
    shutil.copy(LOUD, disk / "shout.pt")
    assert folder.scan()
    assert list(folder.words) == ["cry", "shout"]
