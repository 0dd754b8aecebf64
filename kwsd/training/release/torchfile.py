"""Writes small files that ``torch.load(weights_only=True)`` opens, without torch.

``torch.save`` stores each tensor uncompressed, in its own zip entry, aligned to 64 bytes and with a long
description. That is most of the file of a model of a few thousand values. Here all tensors of one type share
a storage, the entries are compressed, and the pickle has each name once. kwsd.runtime.torchfile reads such
files.
"""

import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kwsd.files import replace_file
from kwsd.runtime.torchpickle import REBUILD_TENSOR, STORAGES

_PROTOCOL = 2  # of the pickle, as in torch.save
_FILE_VERSION = b"3"  # of torch's zip format


def _torch_name(name: str) -> type:
    """A class that pickles as the name `name` ("module name") of torch, which need not be installed."""
    module, _, attribute = name.partition(" ")
    return type(attribute, (), {"__module__": module})


_STORAGE_TYPES = {dtype: _torch_name(name) for name, dtype in STORAGES.items()}
_REBUILD_TENSOR = _torch_name(REBUILD_TENSOR)


class _Storage:
    """All arrays of one type, end to end."""

    def __init__(self, dtype: np.dtype[Any], key: str, length: int) -> None:
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.used = 0  # items
        self.reference = ("storage", _STORAGE_TYPES[dtype], key, "cpu", length)


class _Pickler(pickle._Pickler):  # in Python: the one in C imports every module that it names
    """Writes numpy arrays as torch tensors in `storages`, by type."""

    def __init__(self, file: io.BytesIO, storages: dict[np.dtype[Any], _Storage]) -> None:
        super().__init__(file, protocol=_PROTOCOL)
        self._storages = storages

    def reducer_override(self, obj: object) -> Any:
        """An array as the call that rebuilds a tensor; anything else as the pickle module writes it."""
        if not isinstance(obj, np.ndarray):
            return NotImplemented
        storage = self._storages[obj.dtype]
        strides = tuple(stride // obj.itemsize for stride in obj.strides)
        arguments = (storage, storage.used, obj.shape, strides, False, None)
        storage.used += obj.size
        storage.arrays.append(obj)
        return _REBUILD_TENSOR, arguments

    def persistent_id(self, pid: object) -> Any:
        """How a tensor names its storage."""
        return pid.reference if isinstance(pid, _Storage) else None

    def save_global(self, obj: Any, name: str | None = None) -> None:  # noqa: ARG002
        """Write a name of torch without importing torch."""
        self.write(pickle.GLOBAL + f"{obj.__module__}\n{obj.__name__}\n".encode())  # type: ignore[attr-defined]
        self.memoize(obj)  # type: ignore[attr-defined]


def write_torch(record: object, path: Path) -> None:
    """Write nested plain values and contiguous numpy arrays (float32, float16, int8, uint8) to `path`.

    Raises KwsdError if the file cannot be written.
    """
    lengths: dict[np.dtype[Any], int] = {}
    _count(record, lengths)
    storages = {dtype: _Storage(dtype, str(key), lengths[dtype]) for key, dtype in enumerate(lengths)}
    file = io.BytesIO()
    _Pickler(file, storages).dump(_unshared(record))
    entries = {"data.pkl": pickletools.optimize(file.getvalue()), "version": _FILE_VERSION}
    for key, storage in enumerate(storages.values()):
        entries[f"data/{key}"] = b"".join(array.tobytes() for array in storage.arrays)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in entries.items():
            # ZipInfo has a fixed date, so that the same model makes the same bytes
            archive.writestr(zipfile.ZipInfo("m/" + name), content, zipfile.ZIP_DEFLATED, 9)
    replace_file(path, packed.getvalue())  # a reader never sees half a file


def _count(value: object, lengths: dict[np.dtype[Any], int]) -> None:
    """Count the items of all arrays in a record by type, because a storage's length precedes its tensors."""
    if isinstance(value, np.ndarray):
        lengths[value.dtype] = lengths.get(value.dtype, 0) + value.size
    elif isinstance(value, dict):
        for item in value.values():
            _count(item, lengths)


def _unshared(value: Any) -> Any:
    """A copy in which no container occurs twice, because the reader refuses shared containers."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unshared(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_unshared(item) for item in value)
    return value
