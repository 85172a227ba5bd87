"""What an estimator holds as data: numbers, texts, lists, dicts with texts as keys, and arrays.

Everything else is a dict whose ``"$"`` names its kind. What is not known here stays as it is:
pickle has its own way with it, and a file that runs no code refuses it. Code of the user's is an
object of `wbce.persistence._code`, and nothing else is ever run.
"""

from __future__ import annotations

import functools
import os
import pathlib
import types
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.preprocessing import FunctionTransformer

from wbce._backend import ClassifierLabelEncoder, keras
from wbce._storable import kinds_by_class, kinds_by_name
from wbce.persistence._code import MissingFunction, PackedEncoder, PackedFunction, PackedObject
from wbce.persistence._keras_config import (
    check_config,
    class_named,
    is_users,
    registered_class,
)
from wbce.persistence._limits import check_settings, check_sizes, checked_dtype
from wbce.persistence._network import network_data, network_of
from wbce.persistence._versions import KIND

LAZY = {"network", "label encoder"}
"""Kinds that take long to make, and are made when they are first asked for."""

_NARROW = [np.dtype(name) for name in ("uint8", "uint16", "float32")]
_MOST_ZEROS = 2**22  # bytes: more are written out, and what is read grows with the file
_OF_KERAS = (
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
)


def encode(value: Any) -> Any:
    """Turn a value into data; networks, functions and losses at any depth of containers."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in _CONTAINERS:
        return _CONTAINERS[type(value)](value)
    if type(value) is np.ndarray:
        return _encode_array(value)
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        return {KIND: "scalar", "dtype": value.dtype.str, "value": value.item()}
    if isinstance(value, os.PathLike):
        return {KIND: "path", "path": os.fspath(value)}
    if isinstance(value, np.dtype) and value.kind != "V":
        return {KIND: "dtype", "name": value.str}
    if isinstance(value, np.random.RandomState):
        name, key, place, has_gauss, gauss = value.get_state(legacy=True)
        return {KIND: "random state", "state": [name, key, place, has_gauss, gauss]}
    if isinstance(value, keras.Model):
        return {KIND: "network", **network_data(value)}
    if isinstance(value, MissingFunction):
        named = {"name": value.name, "module": value.module, "registered": None}
        return value.packed or {KIND: "missing function", **named}
    if isinstance(value, types.FunctionType | functools.partial):
        return _encode_function(value)
    if isinstance(value, type):
        known = registered_class(value)
        return value if known is None else {KIND: "class", "name": known}
    if type(value) is ClassifierLabelEncoder:
        return _encode_labels(value)
    if type(value) is FunctionTransformer and value.func is value.inverse_func is None:
        return {KIND: "identity"}
    if type(value) in kinds_by_class:
        kind = kinds_by_class[type(value)]
        state = {name: encode(held) for name, held in kind.state(value).items()}
        return {KIND: kind.name, "state": state}
    if isinstance(value, _OF_KERAS):
        return _encode_keras(value)
    if isinstance(value, BaseEstimator) and any(
        isinstance(held, types.FunctionType) for held in vars(value).values()
    ):
        return PackedEncoder(value, encode)
    return value


def decode(data: Any) -> Any:
    """Undo :func:`encode`."""
    if type(data) is list:
        return [decode(item) for item in data]
    if type(data) is dict:
        kind = data.get(KIND)
        if kind is None:
            return {key: decode(item) for key, item in data.items()}
        if kind in kinds_by_name:
            return kinds_by_name[kind].value({k: decode(v) for k, v in data["state"].items()})
        return _DECODERS[kind](data)
    if isinstance(data, PackedFunction | PackedObject):
        return data.unpack()
    return data.unpack(decode) if isinstance(data, PackedEncoder) else data


# ---------------------------------------------------------------------- containers and arrays


def _encode_dict(value: dict[Any, Any]) -> Any:
    if all(type(key) is str for key in value) and KIND not in value:
        return {key: encode(item) for key, item in value.items()}
    return {KIND: "dict", "items": [[encode(k), encode(v)] for k, v in value.items()]}


_CONTAINERS: dict[type, Callable[[Any], Any]] = {
    list: lambda value: [encode(item) for item in value],
    dict: _encode_dict,
    tuple: lambda value: {KIND: "tuple", "items": [encode(item) for item in value]},
    set: lambda value: {KIND: "set", "items": [encode(item) for item in sorted(value, key=repr)]},
    defaultdict: lambda value: (
        {KIND: "lists", "items": _encode_dict(dict(value))}
        if value.default_factory is list
        else value
    ),
}


def _encode_array(array: NDArray[Any]) -> Any:
    if array.dtype.kind in "OUS":
        items = [encode(item) for item in array.ravel().tolist()]
        return {KIND: "items", "dtype": array.dtype.str, "shape": list(array.shape), "items": items}
    if array.dtype.kind not in "biuf" or array.nbytes <= 64:
        return array
    all_zero = not array.any() and not (array.dtype.kind == "f" and np.signbit(array).any())
    if all_zero and array.nbytes <= _MOST_ZEROS:
        return {KIND: "zeros", "dtype": array.dtype.str, "shape": list(array.shape)}
    for narrow in _NARROW if array.dtype == np.float64 else []:
        with np.errstate(all="ignore"):
            fewer = array.astype(narrow)
        if np.array_equal(fewer.astype(np.float64).view(np.int64), array.view(np.int64)):
            return {KIND: "float64", "values": fewer}
    return array


def _decode_items(data: dict[str, Any]) -> NDArray[Any]:
    values = np.empty(len(data["items"]), checked_dtype(data["dtype"]))
    for i, item in enumerate(data["items"]):
        values[i] = decode(item)
    return values.reshape(data["shape"])


def _decode_scalar(data: dict[str, Any]) -> np.generic:
    dtype, value = checked_dtype(data["dtype"]), data["value"]
    if dtype.kind not in "biufU" or not isinstance(value, bool | int | float | str):
        raise ValueError(f"the type {dtype} has no value {str(value)[:100]!r} in a file")
    scalar: np.generic = dtype.type(value)
    return scalar


def _decode_random_state(data: dict[str, Any]) -> np.random.RandomState:
    """NumPy reads its numbers from wherever the place in a state says, also beyond their end."""
    name, key, place, *rest = data["state"]
    if name != "MT19937" or type(place) is not int or not 0 <= place <= len(key) == 624:
        raise ValueError(f"the random state {str(name)[:100]!r} has {len(key)} numbers at {place}")
    generator = np.random.RandomState()
    generator.set_state((name, key, place, *rest))
    return generator


# ---------------------------------------------------------------------- Keras' and SciKeras' own


def _encode_keras(value: Any) -> Any:
    if is_users(type(value)):
        return PackedObject(value)
    try:
        config = keras.saving.serialize_keras_object(value)
        check_config(config, layers=False)
    except (TypeError, ValueError, NotImplementedError):  # with a function of the user's in it
        return value
    return {KIND: "keras", "config": config}


def _decode_keras(data: dict[str, Any]) -> Any:
    check_config(data["config"], layers=False)
    if "optimizers" not in str(data["config"].get("module")):  # those make nothing by their steps
        check_settings(data["config"])
    value = keras.saving.deserialize_keras_object(data["config"], safe_mode=True)
    if not isinstance(value, (*_OF_KERAS, types.FunctionType)):
        raise ValueError(f"{type(value).__name__} is no loss, metric, optimizer or function")
    return value


def _encode_function(function: Any) -> Any:
    if isinstance(function, types.FunctionType) and not is_users(function):
        config = keras.saving.serialize_keras_object(function)
        try:
            check_config(config, layers=False)
        except ValueError:
            return PackedFunction(function)
        return {KIND: "keras", "config": config}
    return PackedFunction(function)


def _decode_missing(data: dict[str, Any]) -> Any:
    """A function that the file does not hold: what is registered by its name, or a stand-in."""
    if data["registered"] is not None:
        known = keras.saving.get_registered_object(data["registered"])
        if known is not None:
            return known
    return MissingFunction(data["name"], data["module"])


def _encode_labels(encoder: ClassifierLabelEncoder) -> Any:
    """SciKeras' encoder by what it was fitted on: its parts are those of a scikit-learn version."""
    if encoder.classes_ is None:  # several outputs
        return encoder
    return {
        KIND: "label encoder",
        "loss": encode(encoder.loss),
        "categories": encode(encoder.categories),
        "classes": encode(np.asarray(encoder.classes_)),
        "target_type": encoder._target_type,
        "y_dtype": encode(encoder._y_dtype),
        "y_shape": list(encoder._y_shape),
    }


def _decode_labels(data: dict[str, Any]) -> ClassifierLabelEncoder:
    classes, y_dtype = decode(data["classes"]), decode(data["y_dtype"])
    check_sizes({KIND: "items", "items": list(classes), "dtype": y_dtype.str})
    encoder = ClassifierLabelEncoder(decode(data["loss"]), decode(data["categories"]))
    if data["target_type"] in ("binary", "multiclass"):
        shape = (-1, 1) if len(data["y_shape"]) > 1 else -1
        y = np.asarray(classes).astype(y_dtype).reshape(shape)
    else:
        y = np.zeros((2, len(classes)), dtype=y_dtype)
        y[:, 0] = [0, 1]
    encoder.fit(y)
    encoder._target_type, encoder._y_shape = data["target_type"], tuple(data["y_shape"])
    return encoder


_DECODERS = {
    "class": lambda data: class_named(data["name"]),
    "dict": lambda data: {decode(key): decode(item) for key, item in data["items"]},
    "dtype": lambda data: checked_dtype(data["name"]),
    "float64": lambda data: data["values"].astype(np.float64),
    "identity": lambda data: FunctionTransformer(),
    "items": _decode_items,
    "keras": _decode_keras,
    "label encoder": _decode_labels,
    "lists": lambda data: defaultdict(list, decode(data["items"])),
    "missing function": _decode_missing,
    "network": network_of,
    "path": lambda data: pathlib.Path(data["path"]),
    "random state": _decode_random_state,
    "scalar": _decode_scalar,
    "set": lambda data: {decode(item) for item in data["items"]},
    "tuple": lambda data: tuple(decode(item) for item in data["items"]),
    "zeros": lambda data: np.zeros(data["shape"], checked_dtype(data["dtype"])),
}
