"""The classifier as a step that skl2onnx knows, so that it can convert Pipelines around it."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common.data_types import (
    BooleanTensorType,
    DoubleTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)

from wbce.classifier import WeightedKerasClassifier
from wbce.export._graph import DOUBLE, Graph, Value, check_opset
from wbce.export._inputs import check_exportable, inputs_of
from wbce.export._maps import after_logits, exportable_labels
from wbce.export._onnx import ML_OPSET, add_classifier
from wbce.export._rows import rows_as_inputs

_NAME = "WbceWeightedKerasClassifier"
_LABELS = {"O": StringTensorType, "i": Int64TensorType, "f": DoubleTensorType}


def register() -> None:
    """Make the classifier known to skl2onnx."""
    update_registered_converter(
        WeightedKerasClassifier,
        _NAME,
        _note_shapes,
        _convert,
        parser=_parse,
        options={"zipmap": [True, False, "columns"]},
    )


def pipeline_model(pipeline: Any, X: Any, opset: int) -> Any:
    """A Pipeline as a model, with inputs as X has them."""
    return convert_sklearn(
        pipeline,
        "wbce",
        initial_types=_inputs_like(X),
        target_opset={"": opset, "ai.onnx.ml": ML_OPSET},
    )


def _parse(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Declare two tensors; ``zipmap`` would make a list of dicts of them, and is not heard."""
    check_exportable(model)
    operator = scope.declare_local_operator(_NAME, model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    operator.outputs.append(scope.declare_local_variable("probabilities", FloatTensorType()))
    return operator.outputs


def _note_shapes(operator: Any) -> None:
    estimator = operator.raw_operator
    n_rows, n = operator.inputs[0].get_first_dimension(), len(estimator.classes_)
    label, proba = operator.outputs
    if estimator._has_several_labels():
        label.type = Int64TensorType([n_rows, n])
    else:
        label.type = _LABELS[exportable_labels(estimator.classes_).dtype.kind]([n_rows])
    proba.type = FloatTensorType([n_rows, n])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    estimator = operator.raw_operator
    opset = check_opset(container.target_opset_any_domain(""))
    graph = Graph(opset, scope.get_unique_variable_name)
    takes = inputs_of(estimator)
    if takes.columns is not None:
        raise ValueError(
            "The classifier was fitted on a frame with categories inside a Pipeline, where ONNX "
            "has one matrix of numbers. Turn categories into numbers in a step before it, or "
            "export the classifier alone."
        )
    rows = [graph.cast(Value(graph, name), DOUBLE) for name in operator.input_full_names]
    label, proba = add_classifier(
        graph, estimator, takes, after_logits(estimator), graph.concat(rows, axis=1)
    )
    for value, name in zip((label, proba), operator.output_full_names, strict=True):
        graph.named(value, name)
    container.nodes.extend(graph.nodes)
    container.initializers.extend(graph.constants)
    container.node_domain_version_pair_sets.add(("", opset))


def _inputs_like(X: Any) -> list[tuple[str, Any]]:
    return [
        (name, _tensor(values.dtype, [None, *values.shape[1:]]))
        for name, values in rows_as_inputs(X).items()
    ]


def _tensor(dtype: np.dtype[Any], shape: list[int | None]) -> Any:
    if dtype.kind == "b":
        return BooleanTensorType(shape)
    if dtype.kind == "i":
        return Int64TensorType(shape)
    if dtype.kind == "f":
        return (FloatTensorType if dtype.itemsize <= 4 else DoubleTensorType)(shape)
    return StringTensorType(shape)
