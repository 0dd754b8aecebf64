"""Reading what ``torch.save`` writes, without torch and without running anything in it.

The file is a zip: ``ROOT/data.pkl`` is a pickle of the saved object, in which each tensor names its storage,
and ``ROOT/data/KEY`` is a storage's raw bytes. No unpickler is used: the pickle's opcodes are read one by one
by a small stack machine, which can make plain values and `Tensor` records and nothing else.
"""

import io
import pickle  # for the names of its opcodes, never to load
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import ModelError

MAX_BYTES = 64 * 2**20  # of the file, and of all its entries unpacked
MAX_PICKLE = 2**20  # bytes
MAX_ENTRIES = 1_000

ENTRY = re.compile(
    r"([^/\\]+)/(data\.pkl|version|byteorder|data/(\d{1,9})|"
    r"\.format_version|\.storage_alignment|\.data/serialization_id)"
)
ENCRYPTED = 1  # flag bit of a zip entry
ZIP_ERRORS = (  # what zipfile raises over a damaged file
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    ValueError,
)

DAMAGED = "truncated or damaged; download it again"

STORAGES: dict[str, np.dtype[Any]] = {
    "torch DoubleStorage": np.dtype("<f8"),
    "torch FloatStorage": np.dtype("<f4"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
    "torch ShortStorage": np.dtype("<i2"),
    "torch CharStorage": np.dtype("i1"),
    "torch ByteStorage": np.dtype("u1"),
}
ORDERED_DICT = "collections OrderedDict"
REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"


@dataclass(frozen=True)
class Tensor:
    """A view into a storage: shape, and strides and offset in items, checked to lie within it."""

    storage: npt.NDArray[Any]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.shape) != len(self.strides) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ModelError(DAMAGED)
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if 0 in self.shape or last >= len(self.storage):
            raise ModelError(DAMAGED)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its items."""
        return self.storage.dtype

    def array(self) -> npt.NDArray[Any]:
        """A contiguous copy. Check the shape first: a stride of 0 makes a large array of a small storage."""
        size = self.dtype.itemsize
        strides = tuple(stride * size for stride in self.strides)
        return np.ndarray(self.shape, self.dtype, self.storage, self.offset * size, strides).copy()


@dataclass(frozen=True)
class Global:
    """A name that the pickle refers to, as "module name". Never looked up."""

    name: str


def read_torch(data: bytes) -> object:
    """The object in the bytes of a file of ``torch.save``: plain values and tensors, nested.

    Raises ModelError (without a file's name) for anything else.
    """
    if not data.startswith(b"PK\x03\x04"):
        raise ModelError("not a model file; give a .pt file that kwsd train wrote")
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:  # each entry of the zip's directory begins so
        raise ModelError(f"more than {MAX_ENTRIES:,} entries; not a kwsd model")
    entries = _unzip(data)
    if entries.pop("byteorder", b"little") != b"little":
        raise ModelError("saved on a big-endian machine; save it on a little-endian one")
    if "data.pkl" not in entries:
        raise ModelError("not a kwsd model; give a .pt file that kwsd train wrote")
    storages = {name.removeprefix("data/"): entry for name, entry in entries.items() if name[:5] == "data/"}
    try:
        return _interpret(entries["data.pkl"], storages)
    except (ValueError, IndexError, KeyError, struct.error):  # a malformed pickle
        raise ModelError(DAMAGED) from None


def _unzip(data: bytes) -> dict[str, bytes]:
    """Every entry by its name below the root."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            _check_entries(infos)
            entries = {}
            for info in infos:
                with archive.open(info) as entry:
                    # a read of a given size unpacks no more than that; read() would trust the entry
                    content = entry.read(info.file_size)
                if len(content) != info.file_size:
                    raise ModelError(DAMAGED)
                entries[info.orig_filename.partition("/")[2]] = content
            return entries
    except ZIP_ERRORS:
        raise ModelError(DAMAGED) from None


def _check_entries(infos: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip with entries that ``torch.save`` does not write, or that unpack to too much."""
    names = [info.orig_filename for info in infos]
    matches = [ENTRY.fullmatch(name) for name in names]
    for name, match in zip(names, matches, strict=True):
        if not match or match[1] in {".", ".."}:
            raise ModelError(f"holds {name[:60]!r}, which no kwsd model does")
    if len(set(names)) < len(names) or len({match[1] for match in matches if match}) > 1:
        raise ModelError("holds two entries of one name, or two folders, which no kwsd model does")
    for info, match in zip(infos, matches, strict=True):
        if info.flag_bits & ENCRYPTED or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ModelError("encrypted or compressed in a way that no kwsd model is")
        if match and match[2] == "data.pkl" and info.file_size > MAX_PICKLE:
            raise ModelError(f"its data.pkl unpacks to more than {MAX_PICKLE:,} bytes; not a kwsd model")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise ModelError(f"unpacks to more than {MAX_BYTES:,} bytes; not a kwsd model")


def _interpret(data: bytes, storages: Mapping[str, bytes]) -> object:
    """The object that a protocol 2 pickle of ``torch.save`` describes."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    file = io.BytesIO(data)

    def number(layout: str) -> Any:
        return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]

    def take(count: int) -> bytes:
        taken = file.read(count)
        if len(taken) < count:
            raise ModelError(DAMAGED)
        return taken

    def since_mark() -> list[Any]:
        mark = marks.pop()
        items = stack[mark:]
        del stack[mark:]
        return items

    def put(items: list[Any]) -> None:
        if type(stack[-1]) is not dict or len(items) % 2 or not {*map(type, items[::2])} <= {str, int}:
            raise ModelError(DAMAGED)
        stack[-1].update(zip(items[::2], items[1::2], strict=True))

    while opcode := file.read(1):
        match opcode:
            case pickle.PROTO if number("B") == 2:
                pass
            case pickle.NONE:
                stack.append(None)
            case pickle.NEWTRUE:
                stack.append(True)
            case pickle.NEWFALSE:
                stack.append(False)
            case pickle.BININT:
                stack.append(number("<i"))
            case pickle.BININT1:
                stack.append(number("B"))
            case pickle.BININT2:
                stack.append(number("<H"))
            case pickle.LONG1:
                stack.append(int.from_bytes(take(number("B")), "little", signed=True))
            case pickle.BINFLOAT:
                stack.append(number(">d"))
            case pickle.BINUNICODE:
                stack.append(take(number("<I")).decode())
            case pickle.BINPUT:
                memo[number("B")] = stack[-1]
            case pickle.LONG_BINPUT:
                memo[number("<I")] = stack[-1]
            case pickle.BINGET:
                stack.append(memo[number("B")])
            case pickle.LONG_BINGET:
                stack.append(memo[number("<I")])
            case pickle.MARK:
                marks.append(len(stack))
            case pickle.EMPTY_TUPLE:
                stack.append(())
            case pickle.TUPLE1:
                stack[-1:] = [(stack[-1],)]
            case pickle.TUPLE2:
                stack[-2:] = [(stack[-2], stack[-1])]
            case pickle.TUPLE3:
                stack[-3:] = [(stack[-3], stack[-2], stack[-1])]
            case pickle.TUPLE:
                stack.append(tuple(since_mark()))
            case pickle.EMPTY_LIST:
                stack.append([])
            case pickle.APPEND:
                _list(stack[-2]).append(stack.pop())
            case pickle.APPENDS:
                items = since_mark()
                _list(stack[-1]).extend(items)
            case pickle.EMPTY_DICT:
                stack.append({})
            case pickle.SETITEM:
                marks.append(len(stack) - 2)
                put(since_mark())
            case pickle.SETITEMS:
                put(since_mark())
            case pickle.GLOBAL:
                name = b" ".join(file.readline().rstrip(b"\n") for _ in range(2)).decode()
                if name not in {*STORAGES, ORDERED_DICT, REBUILD_TENSOR}:
                    raise ModelError(f"asks for {name[:60]!r}, as no model does; perhaps hostile: delete it")
                stack.append(Global(name))
            case pickle.REDUCE:
                arguments = stack.pop()
                stack.append(_call(stack.pop(), arguments))
            case pickle.BUILD:  # attributes that torch hangs on a state_dict; not needed
                stack.pop()
                if type(stack[-1]) is not dict:
                    raise ModelError(DAMAGED)
            case pickle.BINPERSID:
                stack.append(_storage(stack.pop(), storages))
            case pickle.STOP if len(stack) == 1:
                return stack[0]
            case _:
                raise ModelError(f"holds the pickle opcode {opcode!r}, which no kwsd model does")
    raise ModelError(DAMAGED)


def _list(value: object) -> list[Any]:
    if type(value) is not list:
        raise ModelError(DAMAGED)
    return value


def _call(function: object, arguments: object) -> object:
    """What the two functions that a model may call would return."""
    match function, arguments:
        case Global() as known, () if known.name == ORDERED_DICT:
            return {}
        case Global() as known, (
            np.ndarray() as storage,
            int(offset),
            tuple(shape),
            tuple(strides),
            _,
            _,
        ) if known.name == REBUILD_TENSOR:
            return Tensor(storage, offset, shape, strides)
    raise ModelError(DAMAGED)


def _storage(reference: object, storages: Mapping[str, bytes]) -> npt.NDArray[Any]:
    """The items of the storage that a pickle refers to as ("storage", type, key, device, number of items)."""
    match reference:
        case ("storage", Global() as kind, str(key), str(), int(count)) if kind.name in STORAGES:
            items: npt.NDArray[Any] = np.frombuffer(storages[key], STORAGES[kind.name])
            if len(items) == count:
                return items
    raise ModelError(DAMAGED)
