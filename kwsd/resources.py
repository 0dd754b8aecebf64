"""Finds the files that come with kwsd: models, systemd units and documentation pages."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "share"
_CHECKOUT = Path(__file__).parent.parent


def shared(folder: str) -> Path:
    """The folder ``models``, ``systemd`` or ``docs`` of the installed package, or of an editable checkout."""
    installed = _INSTALLED / folder
    return installed if installed.is_dir() else _CHECKOUT / folder


def page(name: str) -> Path:
    """The path of docs/NAME.md, for a message. The wheel contains only the pages listed in pyproject.toml."""
    return shared("docs") / f"{name}.md"
