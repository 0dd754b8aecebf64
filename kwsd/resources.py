"""Finds the files that come with kwsd: models, systemd units and the documentation pages in messages."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "share"
_CHECKOUT = Path(__file__).parent.parent


def shared(folder: str) -> Path:
    """The folder ``models``, ``systemd`` or ``docs`` of the installed package, or of an editable checkout."""
    installed = _INSTALLED / folder
    return installed if installed.is_dir() else _CHECKOUT / folder


def page(name: str) -> Path:
    """The page docs/NAME.md, to name in a message. The wheel has only those listed in pyproject.toml."""
    return shared("docs") / f"{name}.md"
