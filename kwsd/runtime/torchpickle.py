"""Interprets the pickle in a model file: a small stack machine in place of an unpickler.

It can make plain values and `Tensor` records, and nothing else: no name in the pickle is ever imported, and
nothing in it is ever called. Shared containers and oversized data are refused before other code sees them.
"""

import io
import math
import pickle  # for the names of its opcodes, never to load
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kwsd.errors import ModelError, shown

MAX_VALUES = 10_000  # in the pickle
MAX_OPCODES = 4 * MAX_VALUES
MAX_DIMENSIONS = 8  # of a tensor

PICKLE_ERRORS = (ValueError, IndexError, KeyError, struct.error)  # raised for a malformed pickle
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


@dataclass
class Storage:
    """The items of one entry of the zip. `items` is empty until `read_torch` has unpacked the entry."""

    key: str
    dtype: np.dtype[Any]
    count: int
    items: npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """A view of a storage. Offset and strides count items.

    Raises ModelError if an item lies outside the storage, or if there are more items than in the storage:
    with strides of 0, a tensor could be huge.
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
            raise ModelError("a tensor has more numbers than its storage; not a kwsd model")

    @property
    def size(self) -> int:
        """Number of items."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the items."""
        return self.storage.dtype

    def array(self) -> npt.NDArray[Any]:
        """The items, as a view of the storage."""
        size = self.dtype.itemsize
        strides = tuple(stride * size for stride in self.strides)
        return np.ndarray(self.shape, self.dtype, self.storage.items, self.offset * size, strides)


@dataclass(frozen=True)
class Global:
    """A name in the pickle, as "module name". It is only compared with known names, never imported."""

    name: str


def read_pickle(data: bytes | bytearray) -> object:
    """The object that a protocol 2 pickle of ``torch.save`` describes: plain values and tensors, nested.

    The storages of the tensors are still empty. The object is a tree: no container appears twice. Raises
    ModelError for anything else, and PICKLE_ERRORS for a malformed pickle.
    """
    return _StackMachine(data).run()


class _StackMachine:
    """Executes the opcodes of a pickle that are in `_OPERATIONS`, and refuses all others."""

    def __init__(self, data: bytes | bytearray) -> None:
        self._file = io.BytesIO(data)
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._pushed = 0

    def run(self) -> object:
        """The object that the pickle describes."""
        for _ in range(MAX_OPCODES):
            opcode = self._file.read(1)
            if opcode == pickle.STOP and len(self._stack) == 1:
                return self._stack[0]
            if not opcode:
                raise ModelError(DAMAGED)
            if opcode not in _OPERATIONS:
                raise _unknown(opcode)
            _OPERATIONS[opcode](self)
        raise ModelError(f"more than {MAX_OPCODES:,} pickle opcodes; not a kwsd model")

    def push(self, value: object) -> None:
        self._pushed += 1
        if self._pushed > MAX_VALUES:
            raise ModelError(f"more than {MAX_VALUES:,} values; not a kwsd model")
        self._stack.append(value)

    def number(self, layout: str) -> Any:
        """The number that follows in the pickle; layout: as in the struct module."""
        return struct.unpack(layout, self._file.read(struct.calcsize(layout)))[0]

    def take(self, count: int) -> bytes:
        """The bytes that follow in the pickle."""
        taken = self._file.read(count)
        if len(taken) < count:
            raise ModelError(DAMAGED)
        return taken

    def check_protocol(self) -> None:
        if self.number("B") != 2:
            raise _unknown(pickle.PROTO)

    def push_long(self) -> None:
        if (count := self.number("B")) > 8:
            raise ModelError("an integer of more than 64 bits; not a kwsd model")
        self.push(int.from_bytes(self.take(count), "little", signed=True))

    def memoize(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def recall(self, index: int) -> None:
        """Push a value again. Refuses a container, which could double at each level, or contain itself."""
        value = self._memo[index]
        if isinstance(value, dict | list) or (isinstance(value, tuple) and not _is_reference(value)):
            raise ModelError("holds the same list, tuple or dict twice; not a kwsd model")
        self.push(value)

    def mark(self) -> None:
        self._marks.append(len(self._stack))

    def pop_to_mark(self) -> list[Any]:
        return self.pop(len(self._stack) - self._marks.pop())

    def pop(self, count: int) -> list[Any]:
        """Take this many items from the top of the stack."""
        place = len(self._stack) - count
        if place < 0:
            raise ModelError(DAMAGED)
        items = self._stack[place:]
        del self._stack[place:]
        return items

    def extend(self, items: list[Any]) -> None:
        """Add the items to the list on top of the stack."""
        if type(self._stack[-1]) is not list:
            raise ModelError(DAMAGED)
        self._stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        """Add the items, keys and values in turn, to the dict on top of the stack."""
        is_dict = type(self._stack[-1]) is dict
        if not is_dict or len(items) % 2 or not {*map(type, items[::2])} <= {str, int}:
            raise ModelError(DAMAGED)
        self._stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def push_global(self) -> None:
        name = b" ".join(self._file.readline().rstrip(b"\n") for _ in range(2)).decode()
        if name not in {*STORAGES, ORDERED_DICT, REBUILD_TENSOR}:
            raise ModelError(f"refers to {shown(name)}, {NOT_OURS}; it may be malicious: delete it")
        self.push(Global(name))

    def call(self) -> None:
        function, arguments = self.pop(2)
        self.push(_call(function, arguments))

    def ignore_attributes(self) -> None:
        """Drop the attributes that torch sets on a state_dict: kwsd does not need them."""
        self._stack.pop()
        if type(self._stack[-1]) is not dict:
            raise ModelError(DAMAGED)

    def push_storage(self) -> None:
        self.push(_storage(self._stack.pop()))


_OPERATIONS: dict[bytes, Callable[[_StackMachine], None]] = {
    pickle.PROTO: _StackMachine.check_protocol,
    # plain values
    pickle.NONE: lambda machine: machine.push(None),
    pickle.NEWTRUE: lambda machine: machine.push(True),
    pickle.NEWFALSE: lambda machine: machine.push(False),
    pickle.BININT: lambda machine: machine.push(machine.number("<i")),
    pickle.BININT1: lambda machine: machine.push(machine.number("B")),
    pickle.BININT2: lambda machine: machine.push(machine.number("<H")),
    pickle.LONG1: _StackMachine.push_long,
    pickle.BINFLOAT: lambda machine: machine.push(machine.number(">d")),
    pickle.BINUNICODE: lambda machine: machine.push(machine.take(machine.number("<I")).decode()),
    # memo
    pickle.BINPUT: lambda machine: machine.memoize(machine.number("B")),
    pickle.LONG_BINPUT: lambda machine: machine.memoize(machine.number("<I")),
    pickle.BINGET: lambda machine: machine.recall(machine.number("B")),
    pickle.LONG_BINGET: lambda machine: machine.recall(machine.number("<I")),
    # containers
    pickle.MARK: _StackMachine.mark,
    pickle.EMPTY_TUPLE: lambda machine: machine.push(()),
    pickle.TUPLE1: lambda machine: machine.push(tuple(machine.pop(1))),
    pickle.TUPLE2: lambda machine: machine.push(tuple(machine.pop(2))),
    pickle.TUPLE3: lambda machine: machine.push(tuple(machine.pop(3))),
    pickle.TUPLE: lambda machine: machine.push(tuple(machine.pop_to_mark())),
    pickle.EMPTY_LIST: lambda machine: machine.push([]),
    pickle.APPEND: lambda machine: machine.extend(machine.pop(1)),
    pickle.APPENDS: lambda machine: machine.extend(machine.pop_to_mark()),
    pickle.EMPTY_DICT: lambda machine: machine.push({}),
    pickle.SETITEM: lambda machine: machine.update(machine.pop(2)),
    pickle.SETITEMS: lambda machine: machine.update(machine.pop_to_mark()),
    # tensors
    pickle.GLOBAL: _StackMachine.push_global,
    pickle.REDUCE: _StackMachine.call,
    pickle.BUILD: _StackMachine.ignore_attributes,
    pickle.BINPERSID: _StackMachine.push_storage,
}


def _unknown(opcode: bytes) -> ModelError:
    return ModelError(f"holds the pickle opcode {opcode!r}, {NOT_OURS}")


def _call(function: object, arguments: object) -> object:
    """The result that one of the two functions allowed in a model would return. Neither is called."""
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
    """Whether the value names a storage: ("storage", type, key, device, number of items)."""
    match value:
        case ("storage", Global() as kind, str(), str(), int()):
            return kind.name in STORAGES
    return False


def _storage(reference: object) -> Storage:
    """The storage that the reference names, still empty."""
    if not isinstance(reference, tuple) or not _is_reference(reference):
        raise ModelError(DAMAGED)
    _, kind, key, _, count = reference
    dtype = STORAGES[kind.name]
    return Storage(key, dtype, count, np.empty(0, dtype))
