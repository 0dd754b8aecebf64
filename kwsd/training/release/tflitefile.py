"""Writes ``.tflite`` files (a FlatBuffer, TensorFlow's schema.fbs version 3) of small feed-forward networks.

The package `tflite` has the schema's names; TensorFlow itself is not needed.
"""

import math
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

SCHEMA_VERSION = 3
IDENTIFIER = b"TFL3"
BUFFER_ALIGNMENT = 16  # bytes, as the schema demands of the data of constants


class Graph:
    """A network of which each operation adds one tensor. Tensors have names.

    All tensors are float32, but for the sizes that some operations take.
    """

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder()
        self._buffers = [self._table("Buffer")]  # the first is that of all tensors without data
        self._tensors: list[int] = []
        self._shapes: dict[str, tuple[int, ...]] = {}  # in the order of the tensors
        self._codes: list[int] = []
        self._operators: list[int] = []

    def input(self, name: str, shape: tuple[int, ...]) -> str:
        """The tensor that the network takes."""
        return self._tensor(name, shape)

    def last_rows(self, tensor: str, count: int) -> str:
        """The last rows of a tensor (1, rows, columns), shape (1, count, columns)."""
        _, rows, columns = self._shapes[tensor]
        begin, size = self._sizes(0, rows - count, 0), self._sizes(1, count, columns)
        return self._add("SLICE", [tensor, begin, size], (1, count, columns), "SliceOptions")

    def dense(self, tensor: str, weight: NDArray[Any], bias: NDArray[Any], relu: bool = False) -> str:
        """Each row of a tensor (..., inputs) times `weight` (inputs, outputs) plus `bias` (outputs,).

        The result has the shape (rows, outputs).
        """
        inputs, outputs = weight.shape
        shape = math.prod(self._shapes[tensor]) // inputs, outputs
        operands = [tensor, self._constant(weight.T), self._constant(bias)]
        kinds = tflite.ActivationFunctionType
        activation = {"FusedActivationFunction": kinds.RELU if relu else kinds.NONE}
        return self._add("FULLY_CONNECTED", operands, shape, "FullyConnectedOptions", **activation)

    def one_row(self, tensor: str) -> str:
        """All numbers of a tensor in one row, shape (1, n)."""
        shape = 1, math.prod(self._shapes[tensor])
        new_shape = {"NewShape": self._integers(shape)}
        return self._add("RESHAPE", [tensor, self._sizes(*shape)], shape, "ReshapeOptions", **new_shape)

    def joined(self, tensors: Sequence[str]) -> str:
        """Rows (1, n) joined to one."""
        shape = 1, sum(self._shapes[tensor][1] for tensor in tensors)
        return self._add("CONCATENATION", tensors, shape, "ConcatenationOptions", Axis=1)

    def sigmoid(self, tensor: str) -> str:
        """The sigmoid of each number."""
        return self._add("LOGISTIC", [tensor], self._shapes[tensor])

    def file(self, inputs: str, outputs: str, description: str) -> bytes:
        """The file of the network. To be called once."""
        codes = [
            self._table("OperatorCode", DeprecatedBuiltinCode=code, BuiltinCode=code) for code in self._codes
        ]
        subgraph = self._table(
            "SubGraph",
            Tensors=self._tables(self._tensors),
            Inputs=self._numbers(inputs),
            Outputs=self._numbers(outputs),
            Operators=self._tables(self._operators),
        )
        model = self._table(
            "Model",
            Version=SCHEMA_VERSION,
            OperatorCodes=self._tables(codes),
            Subgraphs=self._tables([subgraph]),
            Description=self._builder.CreateString(description),
            Buffers=self._tables(self._buffers),
        )
        self._builder.Finish(model, IDENTIFIER)
        return bytes(self._builder.Output())

    def _constant(self, array: NDArray[Any]) -> str:
        data = array.tobytes()
        self._builder.Prep(BUFFER_ALIGNMENT, len(data))
        self._buffers.append(self._table("Buffer", Data=self._builder.CreateByteVector(data)))
        kind = {"float32": tflite.TensorType.FLOAT32, "int32": tflite.TensorType.INT32}[array.dtype.name]
        return self._tensor("constant", array.shape, Type=kind, Buffer=len(self._buffers) - 1)

    def _sizes(self, *values: int) -> str:
        return self._constant(np.array(values, np.int32))

    def _add(
        self, operator: str, inputs: Sequence[str], shape: tuple[int, ...], options: str = "", **fields: int
    ) -> str:
        """Add an operation, whose options are a table with these fields. Returns its result."""
        code = getattr(tflite.BuiltinOperator, operator)
        if code not in self._codes:
            self._codes.append(code)
        result = self._tensor(operator.lower(), shape)
        entries = {
            "OpcodeIndex": self._codes.index(code),
            "Inputs": self._numbers(*inputs),
            "Outputs": self._numbers(result),
        }
        if options:
            entries["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, options)
            entries["BuiltinOptions"] = self._table(options, **fields)
        self._operators.append(self._table("Operator", **entries))
        return result

    def _tensor(self, name: str, shape: tuple[int, ...], **fields: int) -> str:
        """A new tensor; `fields` are its type and buffer if it is a constant."""
        if name in self._shapes:
            name = f"{name}{len(self._tensors)}"
        self._shapes[name] = shape
        fields |= {"Shape": self._integers(shape), "Name": self._builder.CreateString(name)}
        self._tensors.append(self._table("Tensor", **fields))
        return name

    def _table(self, name: str, **fields: int) -> int:
        """A table of the schema with these fields, in the schema's spelling. Returns its offset."""
        getattr(tflite, f"{name}Start")(self._builder)
        for field, value in fields.items():
            getattr(tflite, f"{name}Add{field}")(self._builder, value)
        offset: int = getattr(tflite, f"{name}End")(self._builder)
        return offset

    def _tables(self, offsets: Sequence[int]) -> int:
        self._builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self._builder.PrependUOffsetTRelative(offset)
        vector: int = self._builder.EndVector()
        return vector

    def _numbers(self, *tensors: str) -> int:
        """A vector of the numbers by which the file names these tensors."""
        names = list(self._shapes)
        return self._integers([names.index(tensor) for tensor in tensors])

    def _integers(self, values: Sequence[int]) -> int:
        vector: int = self._builder.CreateNumpyVector(np.array(values, np.int32))
        return vector
