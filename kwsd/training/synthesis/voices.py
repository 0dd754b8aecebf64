"""Who can speak here: the voices of every engine that is installed."""

import importlib.util
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from kwsd.training.synthesis.engines.espeak import espeak_voices
from kwsd.training.synthesis.engines.kokoro import kokoro_voices
from kwsd.training.synthesis.engines.others import (
    FLITE_WARPS,
    HIBARI_WARPS,
    NANOTTS_WARPS,
    FliteVoice,
    HibariVoice,
    NanoVoice,
)
from kwsd.training.synthesis.speech import Voice

Cast = dict[str, Sequence[Voice]]


def find_voices(kokoro: Path | None) -> tuple[Cast, list[str]]:
    """The voices by engine, and one line for each engine left out.

    kokoro: a folder with Kokoro's styles in ``voices/`` and, unless PyPI packages carry it, its ONNX model.
    Raises UsageError where that folder is given and is not one.
    """
    cast: Cast = {"espeak": espeak_voices()}
    left_out = []
    if importlib.util.find_spec("hibari") is None or importlib.util.find_spec("onnxruntime") is None:
        left_out.append("hibari, kokoro and words like the keyword are left out: pip install 'kwsd[synth]'")
    else:
        cast["hibari"] = [HibariVoice(warp) for warp in HIBARI_WARPS]
        if kokoro is None:
            left_out.append("kokoro, the best voices, is left out: give --kokoro DIR")
        else:
            cast["kokoro"] = kokoro_voices(kokoro)
    if importlib.util.find_spec("py_nanotts") is None:
        how = "there is none for macOS" if sys.platform == "darwin" else "pip install 'kwsd[synth]'"
        left_out.append(f"nanotts is left out: {how}")
    else:
        cast["nanotts"] = [
            NanoVoice(language, warp) for language in ("en-US", "en-GB") for warp in NANOTTS_WARPS
        ]
    if shutil.which("flite") is None:
        left_out.append("flite is left out: apt install flite")
    else:
        cast["flite"] = [
            FliteVoice(voice, warp) for voice in ("kal16", "awb", "rms", "slt") for warp in FLITE_WARPS
        ]
    return cast, left_out
