"""Where the files that ship with kwsd are: models, systemd units, and the docs that messages name."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "share"
_CHECKOUT = Path(__file__).parent.parent


def shared(folder: str) -> Path:
    """The folder ``models``, ``systemd`` or ``docs``: as installed, or the checkout's when editable."""
    installed = _INSTALLED / folder
    return installed if installed.is_dir() else _CHECKOUT / folder


def page(name: str) -> Path:
    """The page of docs/ of this name, for a message; pyproject.toml lists those that the wheel holds."""
    return shared("docs") / f"{name}.md"
