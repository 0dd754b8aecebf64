"""Finds the files that come with kwsd, and how it was installed."""

import sys
from pathlib import Path

_INSTALLED = Path(__file__).parent / "share"
_CHECKOUT = Path(__file__).parent.parent


def shared(folder: str) -> Path:
    """The folder of the installed package, or of an editable checkout.

    folder: ``models``, ``sounds``, ``systemd`` or ``docs``.
    """
    installed = _INSTALLED / folder
    return installed if installed.is_dir() else _CHECKOUT / folder


def page(name: str) -> Path:
    """The path of docs/NAME.md, for a message. The wheel contains only the pages listed in pyproject.toml."""
    return shared("docs") / f"{name}.md"


def installing(extra: str) -> str:
    """How to install kwsd again with an extra, for a message: with pipx if that has installed it."""
    pipx = (Path(sys.prefix) / "pipx_metadata.json").exists()
    return f"{'pipx install --force' if pipx else 'pip install'} '.[{extra}]' in the folder of kwsd's source"
