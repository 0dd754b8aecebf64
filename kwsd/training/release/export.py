"""Exports a model for other programs: for openWakeWord, or as ONNX."""

from collections.abc import Mapping
from pathlib import Path

from kwsd.errors import KwsdError, UsageError
from kwsd.files import check_replaceable, replace_file
from kwsd.runtime.model import Model
from kwsd.training.release.export_first_stage import first_stage_files
from kwsd.training.release.export_openwakeword import openwakeword_files

FORMATS = ("openwakeword", "onnx")


def export(model: Model, to: str, folder: Path, threshold: float | None = None) -> list[Path]:
    """Write a model in one of FORMATS into a folder, which is created if it does not exist.

    threshold: of `openwakeword_files`. Existing files are replaced. Returns the files. Raises UsageError if
    the model cannot be exported in this format, and KwsdError if a file cannot be written.
    """
    if to == "openwakeword":
        files = openwakeword_files(model, threshold)
    elif threshold is not None:
        raise UsageError("--threshold is for openwakeword; in ONNX the program that runs it compares")
    else:
        files = first_stage_files(model)
    return _write(files, folder)


def _write(files: Mapping[str, bytes], folder: Path) -> list[Path]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KwsdError(f"cannot create the folder {folder}: {error.strerror}") from None
    paths = [folder / name for name in files]
    for path in paths:
        check_replaceable(path)
    for path, content in zip(paths, files.values(), strict=True):
        replace_file(path, content)
    return paths
