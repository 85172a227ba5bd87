"""A Keras network as configuration and arrays, and back."""

from __future__ import annotations

import copy
import types
from dataclasses import asdict
from typing import Any

import numpy as np

from wbce._backend import global_state, keras
from wbce.inference import chain_of, checked_chain
from wbce.persistence._code import MissingFunction, PackedConfig, PackedFunction
from wbce.persistence._keras_config import check_config, is_users
from wbce.persistence._versions import KIND

_PARTS = {"keras", "configs", "variables", "optimizer_variables", "chain"}


def network_data(network: keras.Model, with_optimizer_state: bool = True) -> dict[str, Any]:
    """Turn a network into data.

    Parameters
    ----------
    network : keras.Model
        Built, compiled or not.
    with_optimizer_state : bool, default=True
        Whether training can go on where it was, for two more numbers a weight with Adam; else
        the network has a fresh optimizer when it comes back.

    Returns
    -------
    dict
        ``keras``, its version; ``configs``, Keras' of the network and of its compilation, a
        `PackedConfig` where they need code of the user's; ``variables``,
        ``optimizer_variables``; and ``chain``, what a plain network computes, so that it predicts
        without being built (:class:`Chain`).

    Raises
    ------
    TypeError
        If the network has no configuration that Keras could rebuild it from.
    """
    try:
        config = keras.saving.serialize_keras_object(network)
    except NotImplementedError as error:
        raise TypeError(
            f"The network, a {type(network).__name__}, cannot be copied or pickled: give its "
            "class a get_config method that returns the arguments of its __init__."
        ) from error
    compile_config = config.pop("compile_config", None)
    optimizer = network.optimizer if network.compiled and with_optimizer_state else None
    chain = chain_of(network)
    configs = {"network": config, "compile": compile_config if network.compiled else None}
    code = {**_custom_classes(network), **_custom_functions(network)}
    return {
        "keras": keras.__version__,
        "configs": PackedConfig(configs, code) if code or not _is_harmless(configs) else configs,
        "variables": [np.asarray(variable) for variable in network.variables],
        "optimizer_variables": None
        if optimizer is None
        else [np.asarray(v) for v in optimizer.variables],
        "chain": None if chain is None else asdict(chain),
    }


def network_of(data: dict[str, Any], strict: bool = False) -> keras.Model:
    """Build a network from data, with its weights, its compilation and its optimizer's state.

    A network whose loss, metrics or optimizer are not to be had here stays uncompiled: it
    predicts, and is compiled anew before it trains. With ``strict`` that is an error.
    """
    packed, custom = data["configs"], {}
    has_code = isinstance(packed, PackedConfig)
    configs = copy.deepcopy(packed.configs if has_code else packed)  # Keras takes them apart
    if has_code:
        custom = _custom_objects(packed.code)
    else:
        check_network(data)
    try:
        if has_code:
            network = keras.saving.deserialize_keras_object(
                configs["network"], custom_objects=custom, safe_mode=False
            )
            _assign(network.variables, data["variables"])
        else:
            network = _built(configs["network"], data["variables"])
            if data["chain"] is not None and chain_of(network) is None:
                raise ValueError("The network is another one than its description says.")
    except Exception as error:  # Keras' and TensorFlow's, of a network that does not fit
        if has_code and data["keras"] == keras.__version__:
            raise
        if data["keras"] == keras.__version__:
            raise ValueError(f"The stored network cannot be built: {error}") from error
        raise ValueError(
            f"Keras {keras.__version__} cannot build the network, which Keras {data['keras']} "
            "described: install that version, or store the estimator with this one."
        ) from error
    if configs["compile"] is not None:
        try:
            with keras.saving.custom_object_scope(custom):
                network.compile_from_config(configs["compile"])
        except Exception:
            if strict:
                raise
            return network
        if data["optimizer_variables"] is not None and network.optimizer is not None:
            network.optimizer.build(network.trainable_variables)
            # An optimizer that was not built yet has fewer.
            known = network.optimizer.variables[: len(data["optimizer_variables"])]
            _assign(known, data["optimizer_variables"])
    return network


def check_network(data: dict[str, Any]) -> None:
    """Check data of a network without code of the user's, before anything is built.

    Raises
    ------
    ValueError
        If they are incomplete, name anything that is not known to be harmless, or do not fit
        together.
    """
    if set(data) - {KIND} != _PARTS:
        raise ValueError(f"the network has the parts {sorted(map(str, data))}")
    configs, values = data["configs"], data["variables"]
    if not isinstance(configs, dict) or set(configs) != {"network", "compile"}:
        raise ValueError("the configuration is incomplete")
    some = [*values, *(data["optimizer_variables"] or ())]
    if not all(isinstance(value, np.ndarray) for value in some):
        raise ValueError("a variable is no array")
    check_config(configs)
    if data["chain"] is not None:
        checked_chain(data["chain"], values)


def copy_network(network: keras.Model) -> keras.Model:
    """Copy a network with its weights, compilation and optimizer state."""
    return network_of(network_data(network), strict=True)


def _built(config: dict[str, Any], values: list[Any]) -> keras.Model:
    """Build a network whose variables are made of the values, if they have their shapes.

    A configuration can ask for variables of any size: none is made before that is known.
    """
    others = list(_unmade_variables())
    try:
        with keras.StatelessScope(initialize_variables=False):
            network = keras.saving.deserialize_keras_object(config, safe_mode=True)
        if not isinstance(network, keras.Model):
            raise ValueError(f"The configuration is of a {type(network).__name__}, no network.")
        if values:  # else it was never built
            _check_shapes(network.variables, values)
            for variable, value in zip(network.variables, values, strict=True):
                variable._initialize(value)
    finally:
        global_state.set_global_attribute("uninitialized_variables", others)
    return network


def _unmade_variables() -> list[Any]:
    return global_state.get_global_attribute("uninitialized_variables") or []


def _is_harmless(config: Any) -> bool:
    try:
        check_config(config)
    except ValueError:
        return False
    return True


def _custom_classes(network: keras.Model) -> dict[str, type]:
    parts = [network, *network._flatten_layers()]
    if network.compiled:
        parts += [network.optimizer, network.loss, *(network.metrics or [])]
    classes = {type(part) for part in parts if hasattr(part, "get_config")}
    return {keras.saving.get_registered_name(cls): cls for cls in classes if is_users(cls)}


def _custom_functions(network: keras.Model) -> dict[str, Any]:
    """Functions of the user's among a network's losses, metrics and layers' attributes."""
    holders = [value for layer in network._flatten_layers() for value in vars(layer).values()]
    if network.compiled:
        metrics = getattr(network._compile_metrics, "_user_metrics", None)
        holders += [*_tree_values(network.loss), *_tree_values(metrics)]
    return {
        function.__name__: function
        for function in holders
        if isinstance(function, types.FunctionType) and is_users(function)
    }


def _custom_objects(code: dict[str, PackedFunction]) -> dict[str, Any]:
    objects = {}
    for name, packed in code.items():
        known = keras.saving.get_registered_object(name)
        if known is None:
            known = packed.unpack()
            if isinstance(known, MissingFunction):
                continue  # Keras says which class it misses
        objects[name] = known
        objects[name.rpartition(">")[2]] = known
    return objects


def _tree_values(nested: Any) -> list[Any]:
    """List the values of nested lists, tuples and dicts."""
    if isinstance(nested, dict):
        nested = list(nested.values())
    if isinstance(nested, list | tuple):
        return [value for item in nested for value in _tree_values(item)]
    return [nested]


def _assign(variables: list[Any], values: list[Any]) -> None:
    if not values:  # never built, never called
        return
    _check_shapes(variables, values)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _check_shapes(variables: list[Any], values: list[Any]) -> None:
    shapes, stored = ([tuple(some.shape) for some in both] for both in (variables, values))
    if shapes != stored:
        raise ValueError(
            f"The stored network has variables of the shapes {stored}, the rebuilt one {shapes}: "
            "its class's get_config does not describe it completely, or the file was changed."
        )
