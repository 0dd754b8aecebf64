"""Where the files that ship with kwsd lie: models and systemd units."""

from pathlib import Path

_INSTALLED = Path(__file__).parent / "share"
_CHECKOUT = Path(__file__).parent.parent


def shared(folder: str) -> Path:
    """The folder ``models`` or ``systemd`` as installed, or of the checkout in an editable install."""
    installed = _INSTALLED / folder
    return installed if installed.is_dir() else _CHECKOUT / folder
