"""To ONNX: a fitted classifier, or a Pipeline that ends in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from wbce._backend import tf
from wbce._quiet import loudness_kept
from wbce.export._graph import DOUBLE, FLOAT, INT32, INT64, Graph, Value
from wbce.export._inputs import Categories, Inputs, inputs_of
from wbce.export._maps import AfterLogits, after_logits
from wbce.export._onnx_network import chain_logits
from wbce.export._scores import codes, probabilities, scores
from wbce.export._tensorflow import Logits
from wbce.inference import chain_of

ML_OPSET = 3
_ML = "ai.onnx.ml"

_TYPES = {"float32": FLOAT, "float64": DOUBLE, "int32": INT32, "int64": INT64}


def classifier_model(estimator: Any, opset: int) -> onnx.ModelProto:
    """A classifier alone, as a model."""
    takes, after = inputs_of(estimator), after_logits(estimator)
    graph = Graph(opset)
    taken = {"label", "probabilities"} & set(takes.columns or {})
    if taken:
        raise ValueError(
            f"X has columns named {sorted(taken)}, as the model's outputs are. Rename them, and "
            "fit anew."
        )
    if takes.columns is None:
        given = [helper.make_tensor_value_info("X", _TYPES[takes.given], ["n", *takes.shape])]
        rows = graph.input("X")
    else:
        given = [
            helper.make_tensor_value_info(name, _type_of(column), ["n", 1])
            for name, column in takes.columns.items()
        ]
        rows = _numbers_of_columns(graph, takes.columns)
    label, proba = add_classifier(graph, estimator, takes, after, rows)
    graph.named(label, "label")
    graph.named(proba, "probabilities")
    n = len(estimator.classes_)
    several = after.kind == "labels"
    results = [
        helper.make_tensor_value_info("label", _label_type(after), ["n", n] if several else ["n"]),
        helper.make_tensor_value_info("probabilities", FLOAT, ["n", n]),
    ]
    made = helper.make_graph(graph.nodes, "wbce", given, results, graph.constants)
    domains = [helper.make_opsetid("", opset)]
    if takes.columns is not None:
        domains.append(helper.make_opsetid(_ML, ML_OPSET))
    return helper.make_model(
        made,
        opset_imports=domains,
        ir_version=helper.find_min_ir_version_for(domains),
        producer_name="wbce",
    )


def add_classifier(
    graph: Graph, estimator: Any, takes: Inputs, after: AfterLogits, rows: Value
) -> tuple[Value, Value]:
    """From rows to labels and probabilities."""
    if takes.offset is not None:
        rows = graph.cast(rows, DOUBLE) - graph.constant(takes.offset)
    z, n_outputs = _logits(graph, estimator, takes, graph.cast(rows, _TYPES[takes.taken]))
    if after.kind == "binary" and n_outputs == 2:
        z = graph.part(z, 1, 1, 2) - graph.part(z, 1, 0, 1)
    posterior = scores(after.posterior, z, graph)
    shown = posterior if after.shown is after.posterior else scores(after.shown, z, graph)
    proba = graph.cast(probabilities(after.kind, shown, graph), FLOAT)
    label = codes(after.kind, after.decision, posterior, graph)
    if after.kind == "labels":
        return graph.cast(label, INT64), proba
    return graph.take(graph.array(after.labels), label), proba


def _logits(graph: Graph, estimator: Any, takes: Inputs, rows: Value) -> tuple[Value, int]:
    """The network, and how many outputs it has: its known steps, or else by tf2onnx."""
    network = estimator.model_
    chain = chain_of(network)
    if chain is not None:
        variables = [np.asarray(variable.numpy()) for variable in network.variables]
        return chain_logits(graph, chain, variables, rows), chain.n_outputs
    spec = tf.TensorSpec((None, *takes.shape), tf.as_dtype(takes.taken), name="X")
    logits = Logits(estimator, spec.dtype)
    z = graph.graft(_by_tf2onnx(logits, spec, graph.opset), rows)
    return graph.cast(z, DOUBLE), logits.n_outputs


def _by_tf2onnx(logits: Logits, spec: tf.TensorSpec, opset: int) -> onnx.ModelProto:
    with loudness_kept(tf.get_logger()):  # tf2onnx sets both at its import and at every use
        return _from_function(logits, spec, opset)


def _from_function(logits: Logits, spec: tf.TensorSpec, opset: int) -> onnx.ModelProto:
    try:
        import tf2onnx
    except ImportError as error:
        raise ImportError(
            "This network is more than a chain of dense layers, activations and normalisations, "
            "and tf2onnx turns it into ONNX, which is not installed: pip install wbce[export], or "
            "pip install tf2onnx. to_saved_model and to_litert do without."
        ) from error
    function = tf.function(logits, autograph=False, input_signature=[spec])
    made, _ = tf2onnx.convert.from_function(function, [spec], opset=opset)
    _spell_out(made.graph)
    unknown = sorted({n.op_type for n in made.graph.node if not onnx.defs.has(n.op_type, n.domain)})
    if unknown:
        raise ValueError(
            f"tf2onnx {tf2onnx.__version__} has no form for TensorFlow's operations {unknown}, "
            "which this network has. Use other layers or activations, or to_saved_model."
        )
    return made


# What tf2onnx leaves as it is, of x and one: Keras' gelu and reading of probabilities have it.
_SPELT_OUT = {
    "Erfc": (("Erf", ["x"]), ("Sub", ["one", "between"])),
    "Expm1": (("Exp", ["x"]), ("Sub", ["between", "one"])),
    "Log1p": (("Add", ["one", "x"]), ("Log", ["between"])),
}


def _spell_out(graph: onnx.GraphProto) -> None:
    """Write TensorFlow's operations of `_SPELT_OUT` as ONNX's."""
    nodes = []
    for node in graph.node:
        if node.op_type not in _SPELT_OUT:
            nodes.append(node)
            continue
        names = {part: f"{node.name}/{part}" for part in ("one", "between")}
        names["x"] = node.input[0]
        graph.initializer.append(numpy_helper.from_array(np.float32(1), names["one"]))
        results = names["between"], node.output[0]
        for (op, inputs), result in zip(_SPELT_OUT[node.op_type], results, strict=True):
            name = f"{node.name}/{op}"
            nodes.append(helper.make_node(op, [names[part] for part in inputs], [result], name))
    del graph.node[:]
    graph.node.extend(nodes)


def _label_type(after: AfterLogits) -> int:
    return {"O": TensorProto.STRING, "i": INT64, "f": DOUBLE}[after.labels.dtype.kind]


def _numbers_of_columns(graph: Graph, columns: dict[str, Categories | None]) -> Value:
    """A frame's columns side by side, categories as their numbers, others as NaN."""
    made = []
    for name, column in columns.items():
        given = graph.input(name)
        if column is not None:
            kind = column.values.dtype.kind
            keys = column.values.astype({"O": object, "f": np.float32}.get(kind, np.int64))
            given = graph.node(
                "LabelEncoder",
                graph.cast(given, INT64) if kind in "bi" else given,
                domain=_ML,
                values_floats=column.numbers.tolist(),
                default_float=float("nan"),
                **{
                    {"O": "keys_strings", "f": "keys_floats"}.get(
                        kind, "keys_int64s"
                    ): keys.tolist()
                },
            )
        made.append(graph.cast(given, DOUBLE))
    return graph.concat(made, axis=1)


def _type_of(column: Categories | None) -> int:
    """Of an input that is a frame's column."""
    if column is None:
        return DOUBLE
    types = {"O": TensorProto.STRING, "b": TensorProto.BOOL, "i": INT64, "f": FLOAT}
    return types[column.values.dtype.kind]
