"""What a network's output is: logits, or probabilities whose logits can be read off the graph.

A loss on ``log(sigmoid(z))`` loses the gradient where the sigmoid saturates. Inside a compiled
step the output tensor still knows the operation that made it, so the logits of a network that
ends in sigmoid or softmax are that operation's input, exact at any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wbce._backend import keras, tf
from wbce.losses._labels import require

ops = keras.ops

_PASSED_THROUGH = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient"}
_ACTIVATIONS = {"Sigmoid": "sigmoid", "Softmax": "softmax"}
_LINEAR = {"MatMul", "BatchMatMulV2", "Conv1D", "Conv2D", "Conv3D", "Einsum", "BiasAdd"}
_VARIABLES = {"ReadVariableOp", "Cast"}


def recognise(output: Any) -> tuple[str | None, Any]:
    """Tell how a network's output was made.

    Parameters
    ----------
    output : tensor
        Output of a network, inside a compiled function.

    Returns
    -------
    activation : {"sigmoid", "softmax", "linear", None}
        None where the last operation is none of the three.
    logits : tensor or None
        The output before the sigmoid or softmax; the output itself when it is linear.
    """
    cached = getattr(output, "_keras_logits", None)
    operation = _operation(output)
    while operation is not None and operation.type in _PASSED_THROUGH and operation.inputs:
        operation = operation.inputs[0].op
    if operation is None:
        return None, None
    if operation.type in _ACTIVATIONS:
        logits = operation.inputs[0] if cached is None else cached
        if operation is not _operation(output):
            logits = ops.reshape(logits, ops.shape(output))
        return _ACTIVATIONS[operation.type], logits
    if _is_linear(operation):
        return "linear", output
    return None, None


def logits_from(output: Any, from_logits: bool | None, multi_label: bool = False) -> Any:
    """Logits of a network's output; ``from_logits=None`` recognises what the output is.

    Raises
    ------
    ValueError
        If ``from_logits`` is None and the output is not recognised, or if it contradicts what
        is recognised or the values themselves; if a sigmoid ends several columns that are classes,
        or a softmax labels.
    """
    activation, logits = recognise(output)
    check_columns(activation, output.shape, multi_label)
    if from_logits is None:
        if logits is None:
            raise ValueError(UNRECOGNISED)
        return logits
    check_consistent(activation, from_logits)
    if from_logits:
        _check_no_distribution(output, multi_label)
        return output
    if logits is not None:
        return logits
    require(
        output,
        lambda p, m: m.all((p >= 0) & (p <= 1)),
        "from_logits=False, but probabilities are within [0, 1]. Pass from_logits=True for logits",
    )
    return logits_of_probabilities(output, each_column=multi_label)


UNRECOGNISED = (
    "The network's output was not recognised: its last operation is neither linear (logits) nor a "
    "sigmoid or softmax (probabilities). End the network in Dense(1), Dense(n_classes), "
    "Dense(1, activation='sigmoid') or Dense(n_classes, activation='softmax'); or say what the "
    "output is: from_logits=True for logits, from_logits=False for probabilities."
)


def check_consistent(activation: str | None, from_logits: bool | None) -> None:
    """Raise if ``from_logits`` says the opposite of what the last layer shows."""
    if from_logits is True and activation in ("sigmoid", "softmax"):
        raise ValueError(
            f"from_logits=True, but the network ends in {activation}: its output is probabilities. "
            f"Drop from_logits, or the last {activation}."
        )
    if from_logits is False and activation == "linear":
        raise ValueError(
            "from_logits=False, but the network ends in a linear layer: its output is logits. "
            "Drop from_logits, or add a sigmoid or softmax."
        )


def check_columns(activation: str | None, shape: Any, multi_label: bool) -> None:
    """Raise if the last activation does not fit what the columns are."""
    columns = 1 if len(shape) == 1 else shape[-1]
    if activation == "sigmoid" and columns > 1 and not multi_label:
        raise ValueError(
            f"The network ends in a sigmoid of {columns} columns. If they are labels that do not "
            "exclude each other, pass multi_label=True to the loss; if they are classes, end the "
            "network in a softmax or in logits."
        )
    if activation == "softmax" and (multi_label or columns == 1):
        raise ValueError(
            f"The network ends in a softmax of {columns} column{'s' * (columns > 1)}, which "
            "is for classes that exclude each other, two or more. End it in a sigmoid or in logits."
        )


def _check_no_distribution(output: Any, multi_label: bool) -> None:
    """Raise if what should be logits, and is at hand, is rows of probabilities."""
    if tf.is_symbolic_tensor(output) or multi_label or output.shape[-1] < 2 or len(output) < 2:
        return
    values = np.asarray(output, dtype=np.float64)
    whole = (values == np.round(values)).all()
    if not whole and values.min() >= 0 and np.abs(values.sum(axis=-1) - 1).max() < 1e-5:
        raise ValueError(
            "from_logits=True, but every row passed sums to one, with no value below zero: these "
            "are probabilities. Pass from_logits=False, or the logits before the softmax."
        )


def logits_of_probabilities(p: Any, each_column: bool = False) -> Any:
    """Logits of probabilities whose operation is out of sight, clipped to keep them finite.

    One column holds the positives' probability, and so does ``each_column`` of several labels;
    else several columns hold one class each, and their logits are the log-probabilities.
    """
    tiny = 1e-7
    p = ops.clip(p, tiny, 1.0 - tiny)
    if p.shape[-1] == 1 or len(p.shape) == 1 or each_column:
        return ops.log(p) - ops.log1p(-p)
    return ops.log(p)


def _operation(output: Any) -> Any:
    try:
        return output.op
    except AttributeError:  # an eager tensor has none
        return None


def _is_linear(operation: Any) -> bool:
    if operation.type in _LINEAR:
        return True
    if operation.type in ("AddV2", "Add"):
        made_by = [tensor.op.type for tensor in operation.inputs]
        return any(t in _LINEAR for t in made_by) and any(t in _VARIABLES for t in made_by)
    return False
