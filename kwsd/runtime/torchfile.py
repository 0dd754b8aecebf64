"""Reads what ``torch.save`` writes, without torch and without running anything in the file.

The file is a zip: ``ROOT/data.pkl`` is a pickle of the saved object, in which each tensor names its storage,
and ``ROOT/data/KEY`` holds the raw bytes of a storage.

A file may be malicious. The pickle is read first (`read_pickle`), and only the storages that its tensors use
are unpacked. Reading takes less than a second and less than 60 MB, whatever the file contains.
"""

import io
import re
import struct
import zipfile
import zlib

import numpy as np

from kwsd.errors import ModelError, shown
from kwsd.runtime.torchpickle import DAMAGED, NOT_OURS, PICKLE_ERRORS, Tensor, read_pickle

MAX_BYTES = 16 * 2**20  # of the file, and of all its entries unpacked
MAX_PICKLE = 2**20  # bytes
MAX_ENTRIES = 1_000
MAX_DIRECTORY = 2**20  # bytes of the zip's directory
MAX_DEPTH = 8  # levels of nested containers
MAX_ITEMS = MAX_BYTES // 4  # of all tensors together
CHUNK = 2**16  # bytes unpacked at a time

ENTRY = re.compile(
    r"([^/\\]+)/(data\.pkl|version|byteorder|data/(\d{1,9})|"
    r"\.format_version|\.storage_alignment|\.data/serialization_id)"
)
ENCRYPTED = 1  # flag bit of a zip entry
ZIP_ERRORS = (  # raised by zipfile for a damaged file
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
)


def read_torch(data: bytes) -> object:
    """The object that ``torch.save`` wrote as these bytes: plain values and tensors, nested.

    It is a tree: no container appears twice. Raises ModelError, whose text does not name the file, for
    anything else.
    """
    if not data.startswith(b"PK\x03\x04"):
        raise ModelError("not a model file; give a .pt file that kwsd train wrote")
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:  # the signature of a directory entry
        raise ModelError(f"more than {MAX_ENTRIES:,} entries; not a kwsd model")
    try:
        with zipfile.ZipFile(_ZipBytes(data)) as archive:
            entries = _checked_entries(archive)
            if "byteorder" in entries and _unpacked(archive, entries["byteorder"]) != b"little":
                raise ModelError("saved on a big-endian machine; save it on a little-endian one")
            if "data.pkl" not in entries:
                raise ModelError("not a kwsd model; give a .pt file that kwsd train wrote")
            record = read_pickle(_unpacked(archive, entries["data.pkl"]))
            _read_storages(archive, entries, _tensors(record))
            return record
    except (*ZIP_ERRORS, *PICKLE_ERRORS):
        raise ModelError(DAMAGED) from None


class _ZipBytes(io.BytesIO):
    """The bytes of a zip. Refuses a large read, because only a directory of very many entries causes one."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._length = len(data)

    def read(self, size: int | None = -1) -> bytes:
        left = self._length - self.tell()
        if (left if size is None or size < 0 else min(size, left)) > MAX_DIRECTORY:
            raise ModelError("the directory of its entries is too large; not a kwsd model")
        return super().read(size)


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by name below the root. Raises ModelError if ``torch.save`` did not write the zip."""
    infos = archive.infolist()
    matches = [ENTRY.fullmatch(info.orig_filename) for info in infos]
    for info, match in zip(infos, matches, strict=True):
        if not match or match[1] in {".", ".."}:
            raise ModelError(f"holds {shown(info.orig_filename)}, {NOT_OURS}")
        if info.flag_bits & ENCRYPTED or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ModelError("encrypted or compressed in a way that kwsd never uses; not a kwsd model")
    entries = {match[2]: info for info, match in zip(infos, matches, strict=True) if match}
    if len(entries) < len(infos) or len({match[1] for match in matches if match}) > 1:
        raise ModelError(f"holds two entries of the same name, or two folders, {NOT_OURS}")
    if "data.pkl" in entries and entries["data.pkl"].file_size > MAX_PICKLE:
        raise ModelError(f"its data.pkl unpacks to more than {MAX_PICKLE:,} bytes; not a kwsd model")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise ModelError(f"unpacks to more than {MAX_BYTES:,} bytes; not a kwsd model")
    return entries


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    """The content of an entry. Raises ModelError if its length is not that given in the directory."""
    content = bytearray(info.file_size)
    view, filled = memoryview(content), 0
    with archive.open(info) as entry:
        # readinto unpacks no more than a chunk at a time; read() would unpack whatever the entry holds
        while count := entry.readinto(view[filled : filled + CHUNK]):  # type: ignore[attr-defined]
            filled += count
    if filled != info.file_size:
        raise ModelError(DAMAGED)
    return content


def _tensors(record: object) -> list[Tensor]:
    """The tensors in a tree of values. Raises ModelError if it is nested too deep or has too many items."""
    tensors: list[Tensor] = []
    level = [record]
    for _ in range(MAX_DEPTH + 1):
        tensors += [value for value in level if isinstance(value, Tensor)]
        containers = [value for value in level if isinstance(value, dict | list | tuple)]
        level = [
            item for value in containers for item in (value.values() if isinstance(value, dict) else value)
        ]
    if containers:
        raise ModelError(f"values nested more than {MAX_DEPTH} levels deep; not a kwsd model")
    if sum(tensor.size for tensor in tensors) > MAX_ITEMS:
        raise ModelError(f"tensors of more than {MAX_ITEMS:,} numbers; not a kwsd model")
    return tensors


def _read_storages(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], tensors: list[Tensor]
) -> None:
    """Unpack the storages of the tensors. Raises ModelError if the file holds any others."""
    used = {f"data/{tensor.storage.key}" for tensor in tensors}
    held = {name for name in entries if name.startswith("data/")}
    if unused := held - used:
        raise ModelError(f"holds {shown(min(unused))}, which no tensor uses; not a kwsd model")
    contents: dict[str, bytearray] = {}
    for storage in {id(tensor.storage): tensor.storage for tensor in tensors}.values():
        info = entries[f"data/{storage.key}"]
        if info.file_size != storage.count * storage.dtype.itemsize:
            raise ModelError(DAMAGED)
        if storage.key not in contents:
            contents[storage.key] = _unpacked(archive, info)
        storage.items = np.frombuffer(contents[storage.key], storage.dtype)
