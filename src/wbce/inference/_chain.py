"""Chains of layers described by data: what is computed, from which of the network's variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wbce._backend import keras
from wbce.networks import (
    InputColumns,
    MemberDense,
    Mixture,
    PeriodicFeatures,
    SparseColumns,
    ToMembers,
)

layers, activations = keras.layers, keras.activations

Step = dict[str, Any]

ACTIVATIONS = {
    activations.linear: "linear",
    activations.relu: "relu",
    activations.tanh: "tanh",
    activations.sigmoid: "sigmoid",
    activations.silu: "silu",
    activations.elu: "elu",
    activations.selu: "selu",
    activations.gelu: "gelu",
}
_ENDS = {
    activations.linear: "linear",
    activations.sigmoid: "sigmoid",
    activations.softmax: "softmax",
}
# Layers that pass rows of columns on as they are when they predict.
_PASSING = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.Flatten,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.InputLayer,
)


@dataclass(frozen=True)
class Chain:
    """What a plain network computes from float32 rows of columns, up to its logits.

    Attributes
    ----------
    steps : list of dict
        Each with ``"op"``, its settings, and ``"variables"``: the places of what it takes among
        the network's variables. ``"dense"`` (``activation``; kernel, bias if any),
        ``"activation"`` (``activation``), ``"normalise"`` (``epsilon``, ``scale``, ``center``;
        mean, variance, gamma, beta), and of the built-in networks ``"columns"`` (``n_categories``,
        ``may_miss``; mean, scale, knots, scores), ``"sparse_columns"`` (scale, length),
        ``"to_members"``, ``"periodic"`` (``n_numbers``, ``n_frequencies``; speed, frequency,
        phase), ``"member_dense"`` (``activation``; kernel, bias) and ``"mixture"``
        (``exclusive``; shift).
    ends_in : {"linear", "sigmoid", "softmax"}
        The last activation, which is left out of the steps.
    n_inputs, n_outputs : int
        Columns of a row, and of its logits.
    """

    steps: list[Step]
    ends_in: str
    n_inputs: int
    n_outputs: int


def chain_of(network: keras.Model) -> Chain | None:
    """Describe a network; None where a layer is not of the kinds known here."""
    chain = _layers_in_order(network)
    if not chain or not all(_in_float32(layer) for layer in chain):
        return None
    *before, last = chain
    if isinstance(last, layers.Activation | layers.Softmax) and before:
        if isinstance(last, layers.Softmax) and last.axis not in (-1, 1):
            return None
        last_activation = getattr(last, "activation", activations.softmax)
        *before, last = before
        if not _ends_in_logits(last):
            return None
    else:
        last_activation = getattr(last, "activation", None)
    if not (_is_dense(last) or type(last) is Mixture) or last_activation not in _ENDS:
        return None
    places = {id(variable): i for i, variable in enumerate(network.variables)}
    steps = []
    for layer in before:
        if type(layer) not in _PASSING:
            steps.append(_step(layer))
    steps.append(_dense(last, "linear") if _is_dense(last) else _mixture(last))
    if None in steps:
        return None
    numbered = [
        {**step, "variables": [places[id(v)] for v in step.get("variables", ())]}
        for step in steps
        if step is not None
    ]
    n_inputs, n_outputs = (int(shape[-1]) for shape in (network.input_shape, network.output_shape))
    return Chain(numbered, _ENDS[last_activation], n_inputs, n_outputs)


def _ends_in_logits(layer: Any) -> bool:
    plain = _is_dense(layer) and layer.activation is activations.linear
    return plain or type(layer) is Mixture


def _layers_in_order(network: keras.Model) -> list[Any] | None:
    """A network's layers in order, if each takes the output of the one before and nothing else."""
    if type(network) is keras.Sequential:
        network = network._functional
    operations = getattr(network, "operations", None)
    if operations is None or type(network) is not _FUNCTIONAL:
        return None
    if len(network.inputs) != 1 or len(network.inputs[0].shape) != 2 or len(network.outputs) != 1:
        return None
    if network.inputs[0].dtype != "float32":
        return None
    nodes = [node for at_depth in network._nodes_by_depth.values() for node in at_depth]
    inbound = {id(node.operation): node for node in nodes}
    if len(inbound) != len(operations) or not isinstance(operations[0], layers.InputLayer):
        return None
    output = network.inputs[0]
    for operation in operations[1:]:
        node = inbound[id(operation)]
        if [id(tensor) for tensor in node.input_tensors] != [id(output)] or len(node.outputs) != 1:
            return None
        output = node.outputs[0]
    return list(operations) if output is network.outputs[0] else None


_FUNCTIONAL = type(keras.Model(i := keras.Input((1,)), i))


def _in_float32(layer: Any) -> bool:
    policy = getattr(layer, "dtype_policy", None)
    return policy is not None and policy.name == "float32"


def _is_dense(layer: Any) -> bool:
    return (
        type(layer) is layers.Dense
        and not getattr(layer, "lora_enabled", False)
        and getattr(layer, "quantization_mode", None) is None
    )


def _step(layer: Any) -> Step | None:
    if _is_dense(layer):
        activation = ACTIVATIONS.get(layer.activation)
        return None if activation is None else _dense(layer, activation)
    described = _STEPS.get(type(layer))
    return None if described is None else described(layer)


def _dense(layer: Any, activation: str) -> Step:
    variables = [layer._kernel, *([layer.bias] if layer.use_bias else [])]
    return {"op": "dense", "activation": activation, "variables": variables}


def _activation(layer: Any) -> Step | None:
    name = ACTIVATIONS.get(layer.activation)
    return None if name is None else {"op": "activation", "activation": name}


def _relu(layer: Any) -> Step | None:
    plain = layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0
    return {"op": "activation", "activation": "relu"} if plain else None


def _normalise(layer: Any) -> Step | None:
    if layer.axis not in (-1, 1):
        return None
    affine = [layer.gamma] * layer.scale + [layer.beta] * layer.center
    return {
        "op": "normalise",
        "epsilon": float(layer.epsilon),
        "scale": bool(layer.scale),
        "center": bool(layer.center),
        "variables": [layer.moving_mean, layer.moving_variance, *affine],
    }


def _columns(layer: InputColumns) -> Step:
    return {
        "op": "columns",
        "n_categories": list(layer.n_categories),
        "may_miss": list(layer.may_miss),
        "variables": layer.fitted,
    }


def _sparse_columns(layer: SparseColumns) -> Step:
    return {"op": "sparse_columns", "variables": layer.fitted}


def _periodic(layer: PeriodicFeatures) -> Step:
    return {
        "op": "periodic",
        "n_numbers": int(layer.n_numbers),
        "n_frequencies": int(layer.n_frequencies),
        "variables": [layer.speed, layer.frequency, layer.phase],
    }


def _of_members(layer: MemberDense) -> Step | None:
    name = ACTIVATIONS.get(layer.activation)
    variables = [layer.kernel, layer.bias]
    return (
        None if name is None else {"op": "member_dense", "activation": name, "variables": variables}
    )


def _mixture(layer: Mixture) -> Step:
    return {"op": "mixture", "exclusive": bool(layer.exclusive), "variables": [layer.shift]}


_STEPS: dict[type, Callable[[Any], Step | None]] = {
    layers.Activation: _activation,
    layers.BatchNormalization: _normalise,
    layers.ReLU: _relu,
    InputColumns: _columns,
    MemberDense: _of_members,
    PeriodicFeatures: _periodic,
    SparseColumns: _sparse_columns,
    ToMembers: lambda layer: {"op": "to_members"},
}
