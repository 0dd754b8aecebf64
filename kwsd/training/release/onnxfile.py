"""Writes ``.onnx`` files of small networks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 13  # version of the operators, old enough for onnxruntime 1.10 and its builds for browsers
IR_VERSION = 8  # of the file format, which onnxruntime 1.10 reads
_END = 2**31 - 1  # of a slice: to the end of the axis


class Graph:
    """A network of which each operation adds one tensor. Tensors have names and are float32."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, shape: tuple[int, ...]) -> str:
        """A tensor that the network takes."""
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name

    def output(self, name: str, shape: tuple[int, ...], tensor: str) -> None:
        """Let the network give this tensor, of this shape, under this name."""
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def add(self, operator: str, *tensors: str, **attributes: Any) -> str:
        """The first result of an operator. An empty name among the tensors leaves out an optional one."""
        return self._add(operator, tensors, 1, attributes)[0]

    def floats(self, array: NDArray[Any]) -> str:
        """A constant of these numbers."""
        return self._constant(array.astype(np.float32))

    def number(self, value: float) -> str:
        """A constant without dimensions."""
        return self.floats(np.array(value))

    def reshape(self, tensor: str, *shape: int) -> str:
        """The same numbers in another shape, of which one size may be -1."""
        return self.add("Reshape", tensor, self._sizes(*shape))

    def split(self, tensor: str, *sizes: int) -> list[str]:
        """Parts of these sizes of the first axis."""
        return self._add("Split", (tensor, self._sizes(*sizes)), len(sizes), {"axis": 0})

    def last(self, tensor: str, count: int, axis: int) -> str:
        """The last `count` of an axis."""
        return self.add("Slice", tensor, self._sizes(-count), self._sizes(_END), self._sizes(axis))

    def last_rows(self, tensor: str, count: int) -> str:
        """The last rows of a tensor (1, rows, columns), shape (1, count, columns)."""
        return self.last(tensor, count, axis=1)

    def dense(self, tensor: str, weight: NDArray[Any], bias: NDArray[Any], relu: bool = False) -> str:
        """Each row of a tensor (..., inputs) times `weight` (inputs, outputs) plus `bias` (outputs,)."""
        result = self.add("Add", self.add("MatMul", tensor, self.floats(weight)), self.floats(bias))
        return self.add("Relu", result) if relu else result

    def one_row(self, tensor: str) -> str:
        """All numbers of a tensor in one row, shape (1, n)."""
        return self.reshape(tensor, 1, -1)

    def joined(self, tensors: Sequence[str]) -> str:
        """Rows (1, n) joined to one."""
        return self.add("Concat", *tensors, axis=1)

    def sigmoid(self, tensor: str) -> str:
        """The sigmoid of each number."""
        return self.add("Sigmoid", tensor)

    def file(self, description: str, facts: Mapping[str, object]) -> bytes:
        """The file of the network. facts: become its metadata, as text."""
        graph = helper.make_graph(self._nodes, "kwsd", self._inputs, self._outputs, self._constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, producer_name="kwsd", doc_string=description, ir_version=IR_VERSION, opset_imports=[opset]
        )
        helper.set_model_props(model, {name: str(value) for name, value in facts.items()})
        content: bytes = model.SerializeToString()
        return content

    def _add(
        self, operator: str, tensors: Sequence[str], results: int, attributes: dict[str, Any]
    ) -> list[str]:
        names = [f"{operator.lower()}{len(self._nodes)}_{number}" for number in range(results)]
        self._nodes.append(helper.make_node(operator, tensors, names, **attributes))
        return names

    def _sizes(self, *values: int) -> str:
        return self._constant(np.array(values, np.int64))

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name
