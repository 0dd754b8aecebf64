"""Where the control socket is."""

import os
from pathlib import Path

VARIABLE = "KWSD_CONTROL"  # environment variable with the path, which kwsd sets for its hooks
NAME = "kwsd.sock"
SYSTEM_FOLDER = Path("/run/kwsd")  # the RuntimeDirectory= of the system service


def own_path() -> Path | None:
    """Where this process puts its control socket by default; None if there is no folder for it.

    The folder is the RuntimeDirectory= of a systemd service ($RUNTIME_DIRECTORY), or that of the user's
    session ($XDG_RUNTIME_DIR). Only the user can use sockets in it.
    """
    folder = os.environ.get("RUNTIME_DIRECTORY") or os.environ.get("XDG_RUNTIME_DIR")
    return Path(folder) / NAME if folder else None


def candidates() -> list[Path]:
    """Where a running kwsd may have its control socket, the best guess first."""
    own = own_path()
    return [*([own] if own else []), SYSTEM_FOLDER / NAME]
