"""Checks that the optional packages that a command needs are installed."""

import importlib
import importlib.util

from kwsd.errors import UsageError
from kwsd.resources import installing, page


def needs_torch(extra: str = "train") -> None:
    """Raise UsageError if torch or torchaudio is not installed, or does not load.

    extra: the one that the command needs, of which torch is a part.
    """
    for name in ("torch", "torchaudio"):
        try:
            importlib.import_module(name)
        except Exception as error:  # OSError: a missing library; RuntimeError: a build for another CUDA
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                raise UsageError(
                    f"it needs the extra {extra}: {installing(extra)}, see {page('install')}"
                ) from None
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"cannot load {name}: {reason} -- install torch 2.11 to 2.14 and torchaudio 2.11 from the "
                f"same index, see {page('install')}"
            ) from error


def needs_wyoming(zeroconf: bool) -> None:
    """Raise UsageError if the `wyoming` package or, where it is needed, `zeroconf` is not installed."""
    for name in ("wyoming", "zeroconf")[: 1 + zeroconf]:
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"this needs the extra {name}: {installing(name)}, see {page('home-assistant')}")


def needs_export() -> None:
    """Raise UsageError if one of the packages that write files for other programs is not installed."""
    for name in ("onnx", "tflite"):
        if importlib.util.find_spec(name) is None:
            raise UsageError(f"it needs the extra export: {installing('export')}, see {page('export')}")
