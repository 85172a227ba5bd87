"""Plain networks as ONNX nodes: the steps of a `Chain`, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.export._graph import DOUBLE, FLOAT, Graph, Value
from wbce.export._scores import log_softmax, logsumexp
from wbce.inference import Chain

Arrays = list[NDArray[Any]]

_FAR, _NEAR = np.float32(1e37), np.float32(1e-37)  # as in networks/_inputs.py


def chain_logits(graph: Graph, chain: Chain, variables: Arrays, x: Value) -> Value:
    """Logits of rows, in float64 with one column an output.

    Parameters
    ----------
    graph : Graph
    chain : Chain
    variables : list of ndarray
        Of the network, all of them.
    x : Value
        Float32 rows of columns.
    """
    for step in chain.steps:
        x = _STEPS[step["op"]](graph, step, [variables[i] for i in step["variables"]], x)
    return graph.cast(x, DOUBLE)


def _activate(graph: Graph, name: str, x: Value) -> Value:
    if name == "linear":
        return x
    if name == "silu":
        return x * graph.sigmoid(x)
    if name == "gelu":
        half, one, root = (graph.array(np.float32(v)) for v in (0.5, 1.0, np.sqrt(0.5)))
        return x * half * (graph.node("Erf", x * root) + one)
    return graph.node(_BY_NAME[name], x)


_BY_NAME = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "elu": "Elu", "selu": "Selu"}


def _dense(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    kernel, *bias = values
    product = graph.matmul(x, graph.array(kernel))
    if bias:
        product = product + graph.array(bias[0])
    return _activate(graph, step["activation"], product)


def _normalise(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    mean, variance, *affine = values
    factor = 1 / np.sqrt(variance + np.float32(step["epsilon"]))
    if step["scale"]:
        factor = factor * affine.pop(0)
    shift = -mean * factor
    if step["center"]:
        shift = shift + affine.pop(0)
    return x * graph.array(factor) + graph.array(shift)


def _columns(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    """`InputColumns`, in its order: numbers, their normal scores, what is missing, categories."""
    mean, scale, *ranks = values
    numbers = [i for i, n in enumerate(step["n_categories"]) if not n]
    missing = [i for i, m in enumerate(step["may_miss"]) if m]
    zero = graph.array(np.float32(0))
    parts = []
    if numbers:
        given = _some(graph, x, numbers, len(step["n_categories"]))
        unknown = graph.node("IsNaN", given)
        scaled = (given - graph.array(mean)) * graph.array(scale)
        parts.append(_squashed(graph, graph.node("Where", unknown, zero, scaled), 3))
        if ranks:
            found = _normal_scores(graph, given, *ranks)
            parts.append(graph.node("Where", unknown, zero, found))
    if missing:
        some = _some(graph, x, missing, len(step["n_categories"]))
        parts.append(graph.cast(graph.node("IsNaN", some), FLOAT))
    for column, n in enumerate(step["n_categories"]):
        if n:
            codes = _some(graph, x, [column], len(step["n_categories"]))
            is_level = graph.node("Equal", codes, graph.array(np.arange(n, dtype=np.float32)))
            parts.append(graph.cast(is_level, FLOAT))
    return graph.concat(parts, axis=1)


def _sparse_columns(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    scale, length = values
    return _squashed(graph, x * graph.array(scale), 10) / graph.array(length)


def _squashed(graph: Graph, x: Value, most: float) -> Value:
    x = graph.node("Clip", x, *(graph.array(np.float32(end)) for end in (-1e18, 1e18)))
    part = x / graph.array(np.float32(most))
    return x / graph.node("Sqrt", part * part + graph.array(np.float32(1)))


def _some(graph: Graph, x: Value, columns: list[int], of: int) -> Value:
    if columns == list(range(of)):
        return x
    return graph.node("Gather", x, graph.array(columns, np.int64), axis=1)


def _normal_scores(graph: Graph, given: Value, knots: Any, ranks: Any) -> Value:
    zero, one = graph.array(np.float32(0)), graph.array(np.float32(1))
    within = graph.node("Clip", given, graph.array(-_FAR), graph.array(_FAR))
    width = np.maximum(knots[:, 1:] - knots[:, :-1], _NEAR)
    passed = (graph.expand(within, -1) - graph.array(knots[:, :-1])) / graph.array(width)
    passed = graph.node("Clip", passed, zero, one)
    risen = graph.sum(passed * graph.array(ranks[:, 1:] - ranks[:, :-1]), -1, keep=False)
    return risen + graph.array(ranks[:, 0])


def _periodic(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    speed, frequency, phase = values
    which = np.repeat(np.arange(step["n_numbers"]), step["n_frequencies"])
    numbers = graph.node("Gather", x, graph.array(which, np.int64), axis=2)
    turns = np.float32(2 * np.pi) * speed * frequency
    waves = graph.node("Cos", numbers * graph.array(turns) + graph.array(phase))
    every = graph.node("Expand", x, graph.array([len(turns), 1, 1], np.int64))
    return graph.concat([every, waves], axis=2)


def _mixture(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    shift = graph.constant(values[0])
    z = graph.cast(x, DOUBLE) - shift
    if step["exclusive"]:
        mean = logsumexp(log_softmax(z, graph), 0, graph)
    else:
        mean = logsumexp(graph.log_sigmoid(z), 0, graph) - logsumexp(
            graph.log_sigmoid(-z), 0, graph
        )
    return graph.squeeze(mean, 0) + shift


def _activation(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    return _activate(graph, step["activation"], x)


def _to_members(graph: Graph, step: Any, values: Arrays, x: Value) -> Value:
    return graph.expand(x, 0)


_STEPS: dict[str, Callable[[Graph, Any, Arrays, Value], Value]] = {
    "dense": _dense,
    "activation": _activation,
    "normalise": _normalise,
    "columns": _columns,
    "sparse_columns": _sparse_columns,
    "to_members": _to_members,
    "periodic": _periodic,
    "member_dense": _dense,
    "mixture": _mixture,
}
