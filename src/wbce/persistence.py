"""Pickling: a network as configuration and arrays, a user's function by value.

A fitted estimator must load and predict in a process that has never seen the function that
built its network. The network is therefore stored without it, and functions among the
parameters are stored so that a missing one is an error when it is called, not when the
estimator is loaded.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import cloudpickle
from sklearn.base import BaseEstimator

from wbce._backend import keras


class PackedNetwork:
    """A Keras network as plain data.

    Parameters
    ----------
    network : keras.Model
        Built, compiled or not.
    with_optimizer_state : bool, default=True
        Whether training can go on where it was, for two more numbers a weight with Adam; else
        the unpacked network has a fresh optimizer.

    Raises
    ------
    TypeError
        If the network has no configuration that Keras could rebuild it from.
    """

    def __init__(self, network: keras.Model, with_optimizer_state: bool = True) -> None:
        try:
            config = keras.saving.serialize_keras_object(network)
        except NotImplementedError as error:
            raise TypeError(
                f"The network, a {type(network).__name__}, cannot be copied or pickled: give its "
                "class a get_config method that returns the arguments of its __init__."
            ) from error
        self.compile_config = config.pop("compile_config", None) if network.compiled else None
        config.pop("compile_config", None)
        self.config = config
        self.classes = _pickle_classes({**_custom_classes(network), **_custom_functions(network)})
        self.variables = [variable.numpy() for variable in network.variables]
        optimizer = network.optimizer if network.compiled and with_optimizer_state else None
        self.optimizer_variables = (
            None if optimizer is None else [variable.numpy() for variable in optimizer.variables]
        )

    def unpack(self, strict: bool = False) -> keras.Model:
        """Rebuild the network, with its weights, its compilation and its optimizer's state.

        A network whose loss, metrics or optimizer are not to be had here stays uncompiled: it
        predicts, and is compiled anew before it trains. With ``strict`` that is an error.
        """
        custom = _unpickle_classes(self.classes)
        network = keras.saving.deserialize_keras_object(
            self.config, custom_objects=custom, safe_mode=False
        )
        _assign(network.variables, self.variables)
        if self.compile_config is not None:
            try:
                with keras.saving.custom_object_scope(custom):
                    network.compile_from_config(self.compile_config)
            except (TypeError, ValueError, AttributeError, ImportError):
                if strict:
                    raise
                return network
            if self.optimizer_variables is not None:
                network.optimizer.build(network.trainable_variables)
                # An optimizer that was not built yet has fewer.
                known = network.optimizer.variables[: len(self.optimizer_variables)]
                _assign(known, self.optimizer_variables)
        return network


def copy_network(network: keras.Model) -> keras.Model:
    """Copy a network with its weights, compilation and optimizer state."""
    return PackedNetwork(network).unpack(strict=True)


class PackedFunction:
    """A function, stored by value where its module may be missing when it is loaded."""

    def __init__(self, function: Any) -> None:
        self.name = getattr(function, "__qualname__", repr(function))
        self.module = getattr(function, "__module__", None)
        self.code = cloudpickle.dumps(function)

    def unpack(self) -> Any:
        """Return the function, or a stand-in that says what is missing when it is called."""
        try:
            return cloudpickle.loads(self.code)
        except (ImportError, AttributeError):
            return MissingFunction(self)


class PackedObject:
    """A loss or metric of a user's class: the class by value, and its configuration."""

    def __init__(self, value: Any) -> None:
        self.cls = PackedFunction(type(value))
        self.config = value.get_config()

    def unpack(self) -> Any:
        """Rebuild the object; a stand-in for its class says what is missing, if it is."""
        cls = self.cls.unpack()
        return cls if isinstance(cls, MissingFunction) else cls.from_config(self.config)


class PackedEncoder:
    """A fitted encoder that holds a function, such as a FunctionTransformer."""

    def __init__(self, encoder: BaseEstimator) -> None:
        self.cls = type(encoder)
        self.state = {name: pack(value) for name, value in vars(encoder).items()}

    def unpack(self) -> BaseEstimator:
        """Rebuild the encoder."""
        encoder = object.__new__(self.cls)
        encoder.__dict__.update({name: unpack(value) for name, value in self.state.items()})
        return encoder


class MissingFunction:
    """Stands for a function whose module could not be imported where it was unpickled."""

    def __init__(self, packed: PackedFunction) -> None:
        self.packed = packed

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Say what is missing."""
        raise RuntimeError(
            f"The function {self.packed.name!r} of module {self.packed.module!r} was not found "
            "when this estimator was loaded. The fitted estimator predicts without it; to fit "
            "again, make the module importable or pass the function with set_params."
        )

    def __repr__(self) -> str:
        return f"<missing function {self.packed.module}.{self.packed.name}>"


def pack(value: Any) -> Any:
    """Replace networks and functions, at any depth of lists, tuples and dicts, by packed ones."""
    if isinstance(value, keras.Model):
        return PackedNetwork(value)
    if isinstance(value, MissingFunction):
        return value.packed
    if isinstance(value, types.FunctionType | functools.partial):
        return PackedFunction(value)
    if isinstance(value, keras.losses.Loss | keras.metrics.Metric) and _is_users(type(value)):
        return PackedObject(value)
    if isinstance(value, BaseEstimator) and any(
        isinstance(held, types.FunctionType) for held in vars(value).values()
    ):
        return PackedEncoder(value)
    return _map(pack, value)


def unpack(value: Any) -> Any:
    """Undo :func:`pack`."""
    if isinstance(value, PackedNetwork | PackedFunction | PackedObject | PackedEncoder):
        return value.unpack()
    return _map(unpack, value)


def _map(function: Any, value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(function(item) for item in value)
    if type(value) is dict:
        return {key: function(item) for key, item in value.items()}
    return value


def _custom_classes(network: keras.Model) -> dict[str, type]:
    parts = [network, *network._flatten_layers()]
    if network.compiled:
        parts += [network.optimizer, network.loss, *(network.metrics or [])]
    classes = {type(part) for part in parts if hasattr(part, "get_config")}
    return {keras.saving.get_registered_name(cls): cls for cls in classes if _is_users(cls)}


def _custom_functions(network: keras.Model) -> dict[str, Any]:
    """Functions of the user's among a network's losses, metrics and layers' attributes."""
    holders = [value for layer in network._flatten_layers() for value in vars(layer).values()]
    if network.compiled:
        metrics = getattr(network._compile_metrics, "_user_metrics", None)
        holders += [*tree_values(network.loss), *tree_values(metrics)]
    return {
        function.__name__: function
        for function in holders
        if isinstance(function, types.FunctionType) and _is_users(function)
    }


def tree_values(nested: Any) -> list[Any]:
    """List the values of nested lists, tuples and dicts."""
    if isinstance(nested, dict):
        nested = list(nested.values())
    if isinstance(nested, list | tuple):
        return [value for item in nested for value in tree_values(item)]
    return [nested]


def _is_users(thing: Any) -> bool:
    return not thing.__module__.startswith(("keras.", "tensorflow.", "wbce."))


def _pickle_classes(classes: dict[str, type]) -> dict[str, bytes]:
    return {name: cloudpickle.dumps(cls) for name, cls in classes.items()}


def _unpickle_classes(pickled: dict[str, bytes]) -> dict[str, type]:
    classes = {}
    for name, code in pickled.items():
        known = keras.saving.get_registered_object(name)
        if known is None:
            try:
                known = cloudpickle.loads(code)
            except (ImportError, AttributeError):
                continue  # Keras says which class it misses
        classes[name] = known
        classes[name.rpartition(">")[2]] = known
    return classes


def _assign(variables: list[Any], values: list[Any]) -> None:
    if not values:  # never built, never called
        return
    if len(variables) != len(values):
        raise ValueError(
            f"The stored network has {len(values)} variables, the rebuilt one {len(variables)}: "
            "its class's get_config does not describe it completely."
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
