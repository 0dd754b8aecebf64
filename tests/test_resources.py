"""The files that come with kwsd, and how it was installed."""

import sys
from pathlib import Path

import pytest

from kwsd.resources import installing


def test_an_extra_is_installed_as_kwsd_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert installing("new") == "pip install '.[new]' in the folder of kwsd's source"
    (tmp_path / "pipx_metadata.json").touch()
    assert installing("new").startswith("pipx install --force '.[new]' in the folder")
