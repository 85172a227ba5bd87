"""What two networks must share to share a trace."""

from __future__ import annotations

import json
from collections.abc import Hashable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from wbce._backend import keras

# Layers whose call is told by their class, their configuration and their variables. Preprocessing
# layers keep tables and constants elsewhere, `Lambda` and wrappers of other frameworks any code.
_PLAIN_LAYERS = tuple(
    f"keras.src.layers.{name}."
    for name in (
        "activations",
        "attention",
        "convolutional",
        "core.dense",
        "core.einsum_dense",
        "core.embedding",
        "core.identity",
        "core.input_layer",
        "core.masking",
        "merging",
        "normalization",
        "pooling",
        "regularization",
        "reshaping",
        "rnn",
    )
)
_HOMES = {"builtins", "collections", "inspect", "keras", "tensorflow", "wbce", "wrapt", "_thread"}
_KERAS_OPERATIONS = "keras.src.ops."
_MODELS = (keras.Model, keras.Sequential, type(keras.Model(i := keras.Input((1,)), i)))


def architecture(network: keras.Model) -> Hashable | None:
    """Describe all that determines what a network computes, but its variables' values.

    Parameters
    ----------
    network : keras.Model
        Built.

    Returns
    -------
    hashable or None
        Equal for networks that compute the same function of inputs and variables. None where
        that cannot be told: classes and functions of the user's may hold anything.
    """
    operations = [network, *network._flatten_layers(include_self=False)]
    operations += [op for op in getattr(network, "operations", []) if op not in operations]
    if not all(_is_plain(operation) for operation in operations):
        return None
    try:
        config = network.get_config()
        names = {operation.name: f"#{i}" for i, operation in enumerate(operations)}
        described = json.dumps(_without_names(config, names), sort_keys=True, default=str)
        variables = tuple(_described_variable(v) for v in network.variables)
    except (NotImplementedError, TypeError, ValueError):
        return None
    return (
        type(network).__name__,
        described,
        variables,
        tuple(getattr(operation, "autocast", None) for operation in operations),
        (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()),
    )


def _is_plain(operation: Any) -> bool:
    kind = type(operation)
    known = (
        kind in _MODELS
        or kind.__module__.startswith("wbce.networks.")
        or f"{kind.__module__}.".startswith((*_PLAIN_LAYERS, _KERAS_OPERATIONS))
    )
    return known and no_users_code(operation)


def no_users_code(thing: Any) -> bool:
    """Whether no attribute of an object is code of the user's, or an array of numbers."""
    return all(_is_kerass(value) for value in vars(thing).values())


def _described_variable(variable: Any) -> Hashable:
    """Shape, type and what a step does to a variable beside its update.

    Raises
    ------
    TypeError
        If that is code of the user's.
    """
    rules = [getattr(variable, name, None) for name in ("constraint", "regularizer")]
    if not all(_is_kerass(rule) for rule in rules):
        raise TypeError
    configs = tuple(
        rule and (type(rule).__name__, json.dumps(rule.get_config(), sort_keys=True, default=str))
        for rule in rules
    )
    replaced = getattr(variable, "overwrite_with_gradient", False)
    return tuple(variable.shape), str(variable.dtype), variable.trainable, replaced, configs


def _is_kerass(value: Any) -> bool:
    function = isinstance(value, FunctionType | MethodType | BuiltinFunctionType)
    module = str((value if function else type(value)).__module__)
    return module.partition(".")[0] in _HOMES


def _without_names(config: Any, names: dict[str, str]) -> Any:
    """A configuration with the automatic, counted names of layers replaced by their places."""
    if isinstance(config, dict):
        return {
            key: names.get(value, value)
            if key == "name" and isinstance(value, str)
            else [names.get(value[0], value[0]), *value[1:]]
            if key == "keras_history"
            else _without_layer_names(value, names)
            if key in ("input_layers", "output_layers")
            else _without_names(value, names)
            for key, value in config.items()
            if key != "seed" and not key.endswith("initializer")  # these make the first values
        }
    if isinstance(config, list | tuple):
        return [_without_names(item, names) for item in config]
    return config


def _without_layer_names(places: Any, names: dict[str, str]) -> Any:
    if isinstance(places, dict):
        return {key: _without_layer_names(value, names) for key, value in places.items()}
    if isinstance(places, list | tuple):
        return [_without_layer_names(item, names) for item in places]
    return names.get(places, places) if isinstance(places, str) else places
