"""Finds and reads ``.pt`` model files, without torch. Every part is checked before it is used."""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import ModelError, UsageError, is_transient, one_line, shown
from kwsd.files import read_file
from kwsd.pcm import SAMPLE_RATE
from kwsd.resources import shared
from kwsd.runtime.frontend import HOP, N_FFT, N_MELS, POWER_FLOOR
from kwsd.runtime.model import Architecture, Array, Model, Settings, check_keyword
from kwsd.runtime.shipped_embedding import SHA256, shipped_embedding
from kwsd.runtime.torchfile import MAX_BYTES, read_torch
from kwsd.runtime.torchpickle import Tensor
from kwsd.runtime.verifier import MAX_HEADS, shapes

FORMAT_VERSION = 3
# Version 2 holds the whole speech embedding. Version 1 also calls candidate_threshold `gate`, and its oldest
# files lack it.
LARGEST_WEIGHT = 1e6  # far above those of trained models, and every product in the engine stays finite
FRONT_END = {"n_fft": N_FFT, "hop": HOP, "n_mels": N_MELS, "floor": POWER_FLOOR}


def find_model(name: str) -> Path:
    """The path of a model: the file of this name, else the shipped model, else the file NAME.pt.

    Raises ModelError if there is none of these.
    """
    path, shipped = Path(name), _shipped()
    if not os.path.isfile(name):  # noqa: PTH113 - Path.is_file may raise
        if name in shipped:
            return shipped[name]
        if os.path.isfile(f"{name}.pt"):  # noqa: PTH113
            return Path(f"{name}.pt")
    try:
        path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else error
        import difflib  # here because it is large and rarely needed

        similar = difflib.get_close_matches(path.stem, shipped, n=1)
        hint = f"did you mean {similar[0]}? " if similar else ""
        is_path = path.name != name or path.suffix == ".pt"  # else the name of a model that is not shipped
        raise ModelError(
            f"{one_line(name)}: {reason}; {hint}shipped models: {', '.join(shipped) or 'none'}",
            transient=is_path and isinstance(error, OSError) and is_transient(error),
        ) from None
    return path


def short_name(path: Path) -> str:
    """The shortest name by which `find_model` finds the model file of this path."""
    name = str(path.with_suffix(""))
    means_another = name in _shipped() or os.path.isfile(name)  # noqa: PTH113
    return str(path) if means_another or path.suffix != ".pt" else name


def _shipped() -> dict[str, Path]:
    """The paths of the shipped models, by name."""
    return {path.stem: path for path in sorted(shared("models").glob("*.pt"))}


def read_model(path: str | Path) -> Model:
    """Read a model file. Raises ModelError, whose text names the file, if it cannot be used."""
    path = Path(path)
    try:
        return _model(read_torch(_read(path)), path)
    except UsageError as error:
        raise ModelError(f"{one_line(path)}: {error}", error.transient) from None


def read_models(names: Iterable[str]) -> list[Model]:
    """The models of these files, or shipped models of these names. Raises ModelError."""
    return [read_model(find_model(name)) for name in names]


def _read(path: Path) -> bytes:
    """The bytes of a regular file of at most MAX_BYTES. Raises ModelError for any other. Never blocks."""
    try:
        return read_file(path, MAX_BYTES)
    except IsADirectoryError:
        raise ModelError("a folder; give the .pt file in it") from None
    except PermissionError:
        raise ModelError("no permission to read it; change its mode or owner", transient=True) from None
    except FileNotFoundError:
        raise ModelError("no such file", transient=True) from None
    except OSError as error:
        raise ModelError(f"cannot be read: {error.strerror}", is_transient(error)) from None
    except ValueError as error:  # a NUL in the name
        raise ModelError(f"cannot be read: {error}") from None
    except UsageError as error:
        raise ModelError(f"{error}; give a .pt file") from None


def _model(record: object, path: Path) -> Model:
    """The model that the content of a file describes."""
    if type(record) is not dict or "kwsd" not in record:
        raise ModelError("a torch file, but not a kwsd model; give one that kwsd train wrote")
    version = record["kwsd"]
    if type(version) is not int or version < 1:
        raise ModelError(f"its format version is {shown(version)}, which no kwsd model has")
    if version > FORMAT_VERSION:
        raise ModelError(
            f"its format version is {shown(version)}, and this kwsd reads versions up to {FORMAT_VERSION}: "
            "upgrade kwsd"
        )
    if record.get("sample_rate") != SAMPLE_RATE:
        rate = shown(record.get("sample_rate"))
        raise ModelError(f"made for audio at {rate} Hz, but kwsd uses {SAMPLE_RATE} Hz; use another model")
    if record.get("front_end") != FRONT_END:
        raise ModelError("made for another front end; use a model that this version of kwsd trained")
    keyword = _part(record, "keyword", str)
    check_keyword(keyword)
    architecture = _architecture(_part(record, "architecture", dict))
    entries = _part(record, "weights", dict)
    needed = architecture.shapes()
    if entries.keys() != needed.keys():
        odd = sorted(shown(name) for name in entries.keys() ^ needed.keys())
        raise ModelError(f"missing or unexpected weights: {', '.join(odd[:4])}{', ...' * (len(odd) > 4)}")
    return Model(
        keyword=keyword,
        architecture=architecture,
        weights={name: _weight(name, entries[name], shape) for name, shape in needed.items()},
        settings=_settings(_part(record, "settings", dict), version),
        facts=_plain(_part(record, "facts", dict)),
        path=path,
        verifier=_verifier(record) if "verifier" in record else None,
    )


def _settings(stored: dict[Any, Any], version: int) -> Settings:
    if version == 1:
        others = {name: value for name, value in stored.items() if name != "gate"}
        stored = others | {"candidate_threshold": stored.get("gate", Settings.candidate_threshold)}
    if stored.keys() != Settings.__dataclass_fields__.keys():
        raise ModelError("its settings are not those of a kwsd model")
    return Settings(**stored)


def _verifier(record: dict[Any, Any]) -> dict[str, Array]:
    """The arrays of the verifier: those in the file, and for others those of the embedding it refers to."""
    entries = _part(record, "verifier", dict)
    heads = entries.get("output.bias")
    if not isinstance(heads, Tensor) or not heads.shape:
        raise ModelError("its verifier has no heads")
    if heads.shape[0] > MAX_HEADS:
        raise ModelError(f"its verifier has {heads.shape[0]:,} heads; the limit is {MAX_HEADS}")
    needed = shapes(heads.shape[0])
    shipped = shipped_embedding()
    if "embedding" in record:
        _check_embedding(_part(record, "embedding", dict))
        known = shipped
    else:
        known = {}
    if (known | entries).keys() != needed.keys():
        raise ModelError("the weights of its verifier are not those of a kwsd model")
    arrays = known | {name: _floats(f"verifier {name}", e, needed[name]) for name, e in entries.items()}
    return {name: _shared(array, shipped.get(name)) for name, array in arrays.items()}


def _shared(array: Array, shipped: Array | None) -> Array:
    """The shipped array if it is equal, so that models share it in memory, else this one."""
    return shipped if shipped is not None and np.array_equal(array, shipped) else array


def _check_embedding(reference: dict[Any, Any]) -> None:
    """Raise ModelError unless the embedding that a file refers to is the shipped one."""
    digest = _part(reference, "sha256", str)
    if digest != SHA256:
        raise ModelError(
            f"it needs the speech embedding {shown(digest[:12])}, which this kwsd does not have; the file is "
            f"from kwsd {shown(reference.get('kwsd'))}: upgrade kwsd to that version or a later one"
        )


def _part(record: dict[Any, Any], name: str, kind: type) -> Any:
    if type(record.get(name)) is not kind:
        raise ModelError(f"its entry {name!r} is missing or is not a {kind.__name__}")
    return record[name]


def _architecture(sizes: dict[Any, Any]) -> Architecture:
    match sizes:
        case {"channels": channels, "kernel": [kf, kt], "stride": [sf, st], "hidden": hidden, **rest} if (
            not rest
        ):
            return Architecture(channels, (kf, kt), (sf, st), hidden)
    raise ModelError("its architecture is not that of a kwsd model")


def _weight(name: str, entry: object, shape: tuple[int, ...]) -> Array:
    """The float32 array of an entry, which holds floats, or int8 or packed int4 with a scale for each row."""
    match entry:
        case {"values": Tensor() as values, "scales": Tensor() as scales, **rest} if not rest:
            rows = _floats(f"{name} scales", scales, shape[:1])
            return _checked(name, _integers(name, values, shape) * rows.reshape(-1, *[1] * (len(shape) - 1)))
    return _floats(name, entry, shape)


def _floats(name: str, entry: object, shape: tuple[int, ...]) -> Array:
    if not isinstance(entry, Tensor) or entry.dtype.kind != "f":
        raise ModelError(f"weight {name} is not a tensor of floats")
    return _checked(name, _array(name, entry, shape)).astype(np.float32, order="C")


def _checked(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array. Raises ModelError if a number in it is NaN or beyond LARGEST_WEIGHT."""
    if not -LARGEST_WEIGHT <= float(array.min()) <= float(array.max()) <= LARGEST_WEIGHT:  # false for NaN
        raise ModelError(f"weight {name} holds a NaN or a number beyond {LARGEST_WEIGHT:g}")
    return array


def _integers(name: str, values: Tensor, shape: tuple[int, ...]) -> Array:
    """The integers, int8 or packed int4, as float32. The low half of a byte holds the first of two int4."""
    if values.dtype == np.int8:
        return _array(name, values, shape).astype(np.float32)
    if values.dtype != np.uint8:
        raise ModelError(f"weight {name} is neither int8 nor packed int4")
    size = math.prod(shape)
    packed = _array(name, values, ((size + 1) // 2,))
    nibbles = np.stack((packed & 15, packed >> 4), axis=1).ravel()[:size].astype(np.int8)
    return ((nibbles ^ 8) - np.int8(8)).reshape(shape).astype(np.float32)  # 8 to 15 stand for -8 to -1


def _array(name: str, tensor: Tensor, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """The items of a tensor, as a view of its storage. Raises ModelError if its shape is not this one."""
    if tensor.shape != shape:
        raise ModelError(f"weight {name} has shape {tensor.shape}; the architecture needs {shape}")
    return tensor.array()


def _plain(value: object) -> Any:
    """A copy of nested plain values, with lists for tuples. `read_torch` bounds their number and depth."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ModelError("its facts hold something other than plain values")
