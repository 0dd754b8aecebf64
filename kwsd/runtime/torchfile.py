"""Reading what ``torch.save`` writes, without torch and without running anything in it.

The file is a zip: ``ROOT/data.pkl`` is a pickle of the saved object, in which each tensor names its storage,
and ``ROOT/data/KEY`` is a storage's raw bytes. No unpickler is used: the pickle's opcodes are read one by one
by a small stack machine, which can make plain values and `Tensor` records and nothing else.

A file may be hostile, so what no model holds is refused here, before anything else looks at it: the pickle is
read first, its values are few, never shared and not nested deep, and only the storages that its tensors use
are unpacked. Reading takes less than a second and less than 60 MB, whatever the file.
"""

import io
import math
import pickle  # for the names of its opcodes, never to load
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import ModelError, shown

MAX_BYTES = 16 * 2**20  # of the file, and of all its entries unpacked
MAX_PICKLE = 2**20  # bytes
MAX_ENTRIES = 1_000
MAX_DIRECTORY = 2**20  # bytes of the zip's directory
MAX_VALUES = 10_000  # in the pickle
MAX_OPCODES = 4 * MAX_VALUES
MAX_DEPTH = 8  # of containers in each other
MAX_DIMENSIONS = 8  # of a tensor
MAX_ITEMS = MAX_BYTES // 4  # of all tensors together
CHUNK = 2**16  # bytes unpacked at a time

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
PICKLE_ERRORS = (ValueError, IndexError, KeyError, struct.error)  # of `_interpret` over a malformed one

DAMAGED = "truncated or damaged; download it again"
NOT_OURS = "which no kwsd model does"

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
TUPLES = {pickle.TUPLE1: 1, pickle.TUPLE2: 2, pickle.TUPLE3: 3}


@dataclass
class Storage:
    """The items of one entry of the zip; there are none before `read_torch` has unpacked it."""

    key: str
    dtype: np.dtype[Any]
    count: int
    items: npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """A view into a storage: shape, and strides and offset in items, checked to lie within it.

    It has no more items than its storage: strides of 0 would make a large array of a small one.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        numbers = (self.offset, *self.shape, *self.strides)
        if not len(self.shape) == len(self.strides) <= MAX_DIMENSIONS:
            raise ModelError(DAMAGED)
        if not all(type(n) is int and n >= 0 for n in numbers):
            raise ModelError(DAMAGED)
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        count = self.storage.count
        if 0 in self.shape or last >= count or max(self.strides, default=0) > count:
            raise ModelError(DAMAGED)
        if self.size > count:
            raise ModelError("a tensor of more numbers than its storage holds; not a kwsd model")

    @property
    def size(self) -> int:
        """The number of its items."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its items."""
        return self.storage.dtype

    def array(self) -> npt.NDArray[Any]:
        """The items, as a view of the storage."""
        size = self.dtype.itemsize
        strides = tuple(stride * size for stride in self.strides)
        return np.ndarray(self.shape, self.dtype, self.storage.items, self.offset * size, strides)


@dataclass(frozen=True)
class Global:
    """A name that the pickle refers to, as "module name". Never looked up."""

    name: str


def read_torch(data: bytes) -> object:
    """The object in the bytes of a file of ``torch.save``: plain values and tensors, nested.

    It is a tree: no container is in two places. Raises ModelError (without a file's name) for anything else.
    """
    if not data.startswith(b"PK\x03\x04"):
        raise ModelError("not a model file; give a .pt file that kwsd train wrote")
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:  # each entry of the zip's directory begins so
        raise ModelError(f"more than {MAX_ENTRIES:,} entries; not a kwsd model")
    try:
        with zipfile.ZipFile(_ZipBytes(data)) as archive:
            entries = _checked_entries(archive)
            if "byteorder" in entries and _unpacked(archive, entries["byteorder"]) != b"little":
                raise ModelError("saved on a big-endian machine; save it on a little-endian one")
            if "data.pkl" not in entries:
                raise ModelError("not a kwsd model; give a .pt file that kwsd train wrote")
            record = _interpret(_unpacked(archive, entries["data.pkl"]))
            _read_storages(archive, entries, _tensors(record))
            return record
    except (*ZIP_ERRORS, *PICKLE_ERRORS):
        raise ModelError(DAMAGED) from None


class _ZipBytes(io.BytesIO):
    """The bytes of a zip. It is read in small pieces, so a large read is that of a hostile directory."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._length = len(data)

    def read(self, size: int | None = -1) -> bytes:
        left = self._length - self.tell()
        if (left if size is None or size < 0 else min(size, left)) > MAX_DIRECTORY:
            raise ModelError("the directory of its entries is too large; not a kwsd model")
        return super().read(size)


def _checked_entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by their names below the root; refuses a zip that ``torch.save`` does not write."""
    infos = archive.infolist()
    matches = [ENTRY.fullmatch(info.orig_filename) for info in infos]
    for info, match in zip(infos, matches, strict=True):
        if not match or match[1] in {".", ".."}:
            raise ModelError(f"holds {shown(info.orig_filename)}, {NOT_OURS}")
        if info.flag_bits & ENCRYPTED or info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ModelError("encrypted or compressed in a way that no kwsd model is")
    entries = {match[2]: info for info, match in zip(infos, matches, strict=True) if match}
    if len(entries) < len(infos) or len({match[1] for match in matches if match}) > 1:
        raise ModelError(f"holds two entries of one name, or two folders, {NOT_OURS}")
    if "data.pkl" in entries and entries["data.pkl"].file_size > MAX_PICKLE:
        raise ModelError(f"its data.pkl unpacks to more than {MAX_PICKLE:,} bytes; not a kwsd model")
    if sum(info.file_size for info in infos) > MAX_BYTES:
        raise ModelError(f"unpacks to more than {MAX_BYTES:,} bytes; not a kwsd model")
    return entries


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    """An entry, if it is as long as it says."""
    content = bytearray(info.file_size)
    view, filled = memoryview(content), 0
    with archive.open(info) as entry:
        # a read of a given size unpacks no more than that; read() would trust the entry
        while count := entry.readinto(view[filled : filled + CHUNK]):  # type: ignore[attr-defined]
            filled += count
    if filled != info.file_size:
        raise ModelError(DAMAGED)
    return content


def _tensors(record: object) -> list[Tensor]:
    """The tensors in a tree of values; refuses one that is nested too deep, or has too many items."""
    tensors: list[Tensor] = []
    level = [record]
    for _ in range(MAX_DEPTH + 1):
        tensors += [value for value in level if isinstance(value, Tensor)]
        containers = [value for value in level if isinstance(value, dict | list | tuple)]
        level = [
            item for value in containers for item in (value.values() if isinstance(value, dict) else value)
        ]
    if containers:
        raise ModelError(f"values nested more than {MAX_DEPTH} deep; not a kwsd model")
    if sum(tensor.size for tensor in tensors) > MAX_ITEMS:
        raise ModelError(f"tensors of more than {MAX_ITEMS:,} numbers; not a kwsd model")
    return tensors


def _read_storages(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], tensors: list[Tensor]
) -> None:
    """Unpack the storages of the tensors; refuses a file that holds others."""
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


def _interpret(data: bytes | bytearray) -> object:
    """The object that a protocol 2 pickle of ``torch.save`` describes, with storages yet to be read."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}
    file = io.BytesIO(data)
    values = 0

    def number(layout: str) -> Any:
        return struct.unpack(layout, file.read(struct.calcsize(layout)))[0]

    def take(count: int) -> bytes:
        taken = file.read(count)
        if len(taken) < count:
            raise ModelError(DAMAGED)
        return taken

    def push(value: object) -> None:
        nonlocal values
        values += 1
        if values > MAX_VALUES:
            raise ModelError(f"more than {MAX_VALUES:,} values; not a kwsd model")
        stack.append(value)

    def recall(index: int) -> None:
        """Push a value again. A container in two places doubles at each level, or holds itself."""
        value = memo[index]
        if isinstance(value, dict | list) or (isinstance(value, tuple) and not _is_reference(value)):
            raise ModelError("a container is in two places; not a kwsd model")
        push(value)

    def pop_since(place: int) -> list[Any]:
        if place < 0:
            raise ModelError(DAMAGED)
        items = stack[place:]
        del stack[place:]
        return items

    def put(items: list[Any]) -> None:
        if type(stack[-1]) is not dict or len(items) % 2 or not {*map(type, items[::2])} <= {str, int}:
            raise ModelError(DAMAGED)
        stack[-1].update(zip(items[::2], items[1::2], strict=True))

    for _ in range(MAX_OPCODES):
        match opcode := file.read(1):
            case pickle.PROTO if number("B") == 2:
                pass
            case pickle.NONE:
                push(None)
            case pickle.NEWTRUE:
                push(True)
            case pickle.NEWFALSE:
                push(False)
            case pickle.BININT:
                push(number("<i"))
            case pickle.BININT1:
                push(number("B"))
            case pickle.BININT2:
                push(number("<H"))
            case pickle.LONG1:
                if (count := number("B")) > 8:
                    raise ModelError("an integer of more than 64 bits; not a kwsd model")
                push(int.from_bytes(take(count), "little", signed=True))
            case pickle.BINFLOAT:
                push(number(">d"))
            case pickle.BINUNICODE:
                push(take(number("<I")).decode())
            case pickle.BINPUT:
                memo[number("B")] = stack[-1]
            case pickle.LONG_BINPUT:
                memo[number("<I")] = stack[-1]
            case pickle.BINGET:
                recall(number("B"))
            case pickle.LONG_BINGET:
                recall(number("<I"))
            case pickle.MARK:
                marks.append(len(stack))
            case pickle.EMPTY_TUPLE:
                push(())
            case pickle.TUPLE1 | pickle.TUPLE2 | pickle.TUPLE3:
                push(tuple(pop_since(len(stack) - TUPLES[opcode])))
            case pickle.TUPLE:
                push(tuple(pop_since(marks.pop())))
            case pickle.EMPTY_LIST:
                push([])
            case pickle.APPEND:
                _list(stack[-2]).append(stack.pop())
            case pickle.APPENDS:
                items = pop_since(marks.pop())
                _list(stack[-1]).extend(items)
            case pickle.EMPTY_DICT:
                push({})
            case pickle.SETITEM:
                put(pop_since(len(stack) - 2))
            case pickle.SETITEMS:
                put(pop_since(marks.pop()))
            case pickle.GLOBAL:
                name = b" ".join(file.readline().rstrip(b"\n") for _ in range(2)).decode()
                if name not in {*STORAGES, ORDERED_DICT, REBUILD_TENSOR}:
                    raise ModelError(f"asks for {shown(name)}, as no model does; perhaps hostile: delete it")
                push(Global(name))
            case pickle.REDUCE:
                arguments = stack.pop()
                push(_call(stack.pop(), arguments))
            case pickle.BUILD:  # attributes that torch hangs on a state_dict; not needed
                stack.pop()
                if type(stack[-1]) is not dict:
                    raise ModelError(DAMAGED)
            case pickle.BINPERSID:
                push(_storage(stack.pop()))
            case pickle.STOP if len(stack) == 1:
                return stack[0]
            case b"":
                raise ModelError(DAMAGED)
            case _:
                raise ModelError(f"holds the pickle opcode {opcode!r}, {NOT_OURS}")
    raise ModelError(f"more than {MAX_OPCODES:,} pickle opcodes; not a kwsd model")


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
            Storage() as storage,
            int(offset),
            tuple(shape),
            tuple(strides),
            _,
            _,
        ) if known.name == REBUILD_TENSOR:
            return Tensor(storage, offset, shape, strides)
    raise ModelError(DAMAGED)


def _is_reference(value: tuple[Any, ...]) -> bool:
    """Whether this is how a pickle names a storage: ("storage", type, key, device, number of items)."""
    match value:
        case ("storage", Global() as kind, str(), str(), int()):
            return kind.name in STORAGES
    return False


def _storage(reference: object) -> Storage:
    """The storage of this reference, still without its items."""
    if not isinstance(reference, tuple) or not _is_reference(reference):
        raise ModelError(DAMAGED)
    _, kind, key, _, count = reference
    dtype = STORAGES[kind.name]
    return Storage(key, dtype, count, np.empty(0, dtype))
