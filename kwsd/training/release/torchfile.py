"""Writing what ``torch.load(weights_only=True)`` opens, as small as it goes: kwsd.runtime.torchfile reads it.

``torch.save`` keeps each tensor in an entry of its own, stored, aligned to 64 bytes and described at length;
on a model of a few thousand values that is most of the file. Here all tensors of one type share a storage,
the entries are deflated and the pickle says each thing once.
"""

import io
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kwsd.files import replace_file

_STORAGES = {
    np.dtype("f4"): torch.FloatStorage,
    np.dtype("f2"): torch.HalfStorage,
    np.dtype("i1"): torch.CharStorage,
    np.dtype("u1"): torch.ByteStorage,
}


class _Storage:
    """All arrays of one type, end to end."""

    def __init__(self, kind: type, key: str) -> None:
        self.kind, self.key = kind, key
        self.arrays: list[np.ndarray[Any, Any]] = []
        self.length = 0
        self.reference: tuple[Any, ...] = ()


class _Pickler(pickle.Pickler):
    """Writes numpy arrays as torch tensors in `storages`, by type."""

    def __init__(self, file: io.BytesIO, storages: dict[np.dtype[Any], _Storage]) -> None:
        super().__init__(file, protocol=2)
        self._storages = storages

    def reducer_override(self, obj: object) -> Any:
        """A tensor's rebuilding, as torch writes it."""
        if not isinstance(obj, np.ndarray):
            return NotImplemented
        storage = self._storages[obj.dtype]
        strides = tuple(stride // obj.itemsize for stride in obj.strides)
        arguments = (storage, storage.length, obj.shape, strides, False, None)
        storage.length += obj.size
        storage.arrays.append(obj)
        return torch._utils._rebuild_tensor_v2, arguments

    def persistent_id(self, obj: object) -> Any:
        """How a tensor names its storage."""
        return obj.reference if isinstance(obj, _Storage) else None


def write_torch(record: object, path: Path) -> None:
    """Write plain values and contiguous numpy arrays (float32, float16, int8, uint8), nested, to `path`.

    Raises KwsdError where it cannot be written.
    """
    sizes = _Sizes()
    sizes.count(record)
    storages: dict[np.dtype[Any], _Storage] = {}
    for dtype, size in sizes.of.items():
        storage = storages[dtype] = _Storage(_STORAGES[dtype], str(len(storages)))
        storage.reference = ("storage", storage.kind, storage.key, "cpu", size)
    file = io.BytesIO()
    _Pickler(file, storages).dump(_unshared(record))
    entries = {"data.pkl": pickletools.optimize(file.getvalue()), "version": b"3"}
    for storage in storages.values():
        entries["data/" + storage.key] = b"".join(array.tobytes() for array in storage.arrays)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in entries.items():
            # a fixed date: the same model makes the same bytes
            archive.writestr(zipfile.ZipInfo("m/" + name), content, zipfile.ZIP_DEFLATED, 9)
    replace_file(path, packed.getvalue())  # a reader never sees half a file


def _unshared(value: Any) -> Any:
    """The same values with every container in one place only: the reader refuses others."""
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unshared(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_unshared(item) for item in value)
    return value


class _Sizes:
    """Values per type, of all arrays in a record: a storage's length stands before its first tensor."""

    def __init__(self) -> None:
        self.of: dict[np.dtype[Any], int] = {}

    def count(self, record: object) -> None:
        if isinstance(record, np.ndarray):
            self.of[record.dtype] = self.of.get(record.dtype, 0) + record.size
        elif isinstance(record, dict):
            for value in record.values():
                self.count(value)
