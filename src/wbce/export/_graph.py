"""An ONNX graph in the making, on which formulas are written like arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, compose, helper, numpy_helper

_LOWEST_OPSET = 15

FLOAT, DOUBLE, INT32, INT64 = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT32,
    TensorProto.INT64,
)


def check_opset(opset: int) -> int:
    """Raise for a version of ONNX's operators that is too old, or unknown to this onnx."""
    newest = onnx.defs.onnx_opset_version()
    if isinstance(opset, bool) or not isinstance(opset, int) or opset < _LOWEST_OPSET:
        raise ValueError(f"target_opset={opset!r}: pass a whole number of {_LOWEST_OPSET} or more.")
    if opset > newest:
        raise ValueError(
            f"target_opset={opset} is newer than onnx {onnx.__version__} knows: it goes up to "
            f"{newest}. Pass less, or install a newer onnx."
        )
    return opset


class Value:
    """What a node gives: a name in a graph, with arithmetic."""

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def __add__(self, other: Any) -> Value:
        return self.graph.node("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.graph.node("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.graph.node("Sub", self.graph.whole(other), self)

    def __mul__(self, other: Any) -> Value:
        return self.graph.node("Mul", self, other)

    def __truediv__(self, other: Any) -> Value:
        return self.graph.node("Div", self, other)

    def __neg__(self) -> Value:
        return self.graph.node("Neg", self)


class Graph:
    """Nodes and constants, each with a name of its own.

    Parameters
    ----------
    opset : int
        Version of ONNX's operators, as `check_opset` allows.
    unused_name : callable, optional
        Makes a name of a hint; by default numbers are appended.

    Attributes
    ----------
    nodes : list of onnx.NodeProto
    constants : list of onnx.TensorProto
    """

    def __init__(self, opset: int, unused_name: Callable[[str], str] | None = None) -> None:
        numbers = count()
        self.opset = opset
        self._unused_name = unused_name or (lambda hint: f"wbce/{hint}_{next(numbers)}")
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def input(self, name: str) -> Value:
        """A value that comes from outside."""
        return Value(self, name)

    def array(self, values: ArrayLike, dtype: Any = None) -> Value:
        """A constant."""
        values = np.asarray(values, dtype=dtype)
        if values.dtype == object:
            name = self._unused_name("strings")
            texts = [text.encode() for text in values.ravel()]
            made = helper.make_tensor(name, TensorProto.STRING, values.shape, texts)
        else:
            made = numpy_helper.from_array(values, self._unused_name("constant"))
        self.constants.append(made)
        return Value(self, made.name)

    def whole(self, values: Any) -> Value:
        """A constant of whole numbers that count lines and classes."""
        return self.array(values, np.int32)

    def node(self, op: str, *inputs: Any, domain: str = "", **attributes: Any) -> Value:
        """What an operator makes of values, of which whole numbers may be NumPy's."""
        names = [self._value(x).name for x in inputs]
        made = self._unused_name(op.lower())
        self.nodes.append(helper.make_node(op, names, [made], name=made, domain=domain))
        for key, value in attributes.items():
            self.nodes[-1].attribute.append(helper.make_attribute(key, value))
        return Value(self, made)

    def named(self, value: Value, name: str) -> None:
        """Give a value to the outside under a name."""
        self.nodes.append(
            helper.make_node("Identity", [value.name], [name], name=self._unused_name("to"))
        )

    def graft(self, model: onnx.ModelProto, x: Value) -> Value:
        """The one output of another model for its one input."""
        grafted = compose.add_prefix(model, self._unused_name("network") + "/").graph
        (taken,), (given,) = grafted.input, grafted.output
        self.named(x, taken.name)
        self.nodes += grafted.node
        self.constants += grafted.initializer
        return Value(self, given.name)

    def cast(self, x: Value, to: int) -> Value:
        """A value as another type."""
        return self.node("Cast", x, to=to)

    def _value(self, x: Any) -> Value:
        return x if isinstance(x, Value) else self.whole(x)

    # ------------------------------------------------------------------ the formulas' operations

    def constant(self, values: NDArray[Any]) -> Value:
        """A constant of the formulas, which count in float64."""
        return self.array(values, np.float64)

    def exp(self, x: Value) -> Value:
        return self.node("Exp", x)

    def log(self, x: Value) -> Value:
        return self.node("Log", x)

    def sigmoid(self, x: Value) -> Value:
        return self.node("Sigmoid", x)

    def log_sigmoid(self, x: Value) -> Value:
        # min(x, 0) - log(1 + exp(-|x|)): operators that are exact differ from version to version.
        size = self.node("Abs", x)
        one, zero = self.constant(np.ones(())), self.constant(np.zeros(()))
        rest = self.log(self.exp(-size) + one)
        return self.node("Min", x, zero) - rest

    def maximum(self, x: Value, y: Value) -> Value:
        return self.node("Max", x, y)

    def max(self, x: Value, axis: int) -> Value:
        if self.opset < 18:
            return self.node("ReduceMax", x, axes=[axis], keepdims=1)
        return self.node("ReduceMax", x, self.array([axis], np.int64), keepdims=1)

    def sum(self, x: Value, axis: int, keep: bool = True) -> Value:
        return self.node("ReduceSum", x, self.array([axis], np.int64), keepdims=int(keep))

    def matmul(self, x: Value, y: Value) -> Value:
        return self.node("MatMul", x, y)

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        return parts[0] if len(parts) == 1 else self.node("Concat", *parts, axis=axis)

    def part(self, x: Value, axis: int, start: int, stop: int) -> Value:
        ends = [self.array([place], np.int64) for place in (start, stop, axis)]
        return self.node("Slice", x, *ends)

    def expand(self, x: Value, axis: int) -> Value:
        return self.node("Unsqueeze", x, self.array([axis], np.int64))

    def squeeze(self, x: Value, axis: int) -> Value:
        return self.node("Squeeze", x, self.array([axis], np.int64))

    def above(self, x: Value, y: Value) -> Value:
        return self.cast(self.node("Greater", x, y), INT32)

    def n_reached(self, x: Value, places: Value) -> Value:
        reached = self.cast(self.node("GreaterOrEqual", x, places), INT32)
        return self.sum(reached, -1, keep=False)

    def take(self, values: Value, places: Any) -> Value:
        return self.node("Gather", values, self._value(places), axis=0)

    def argmax(self, x: Value) -> Value:
        return self.cast(self.node("ArgMax", x, axis=1, keepdims=0), INT32)
