"""Arguments of Keras' own ``fit`` and ``predict``, where Keras would fail without saying which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from wbce._backend import keras
from wbce._numbers import is_number, is_whole
from wbce._rows import shortened

_MOST = 2**31


def check_routed_arguments(given: Mapping[str, Any]) -> None:
    """Check parameters that go to Keras: by their own names, or routed ones, ``fit__shuffle``.

    Callbacks may be classes here, of which SciKeras makes instances.

    Raises
    ------
    ValueError
    """
    for name, value in given.items():
        bare = name.removeprefix("fit__").removeprefix("predict__").removeprefix("compile__")
        if bare == "callbacks":
            _check(name, value, lambda v: _are_callbacks(v, or_classes=True), _CALLBACKS)
        elif bare in _ALLOWED and name != "class_weight":
            _check(name, value, *_ALLOWED[bare])


def check_keras_arguments(given: Mapping[str, Any]) -> None:
    """Check arguments of Keras' calls by name; those not known here are Keras' to judge.

    Raises
    ------
    ValueError
        That names the argument, its value and what is allowed.
    """
    for name, value in given.items():
        if name in _ALLOWED:
            _check(name, value, *_ALLOWED[name])


def _check(name: str, value: Any, holds: Callable[[Any], bool], allowed: str) -> None:
    may_be_none = name != "initial_epoch"
    if not (value is None and may_be_none) and not holds(value):
        raise ValueError(f"{name}={shortened(value)} is not allowed: pass {allowed}.")


def _is_count(value: Any) -> bool:
    return is_whole(value) and 1 <= value < _MOST


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_flag_or_auto(value: Any) -> bool:
    return _is_flag(value) or (isinstance(value, str) and value == "auto")


def _is_verbosity(value: Any) -> bool:
    if isinstance(value, str):
        return value == "auto"
    return _is_flag(value) or (is_whole(value) and 0 <= value < _MOST)


def _are_counts(value: Any) -> bool:
    many = isinstance(value, list | tuple | set | range)
    return all(map(_is_count, value)) if many else _is_count(value)


def _are_weights(value: Any) -> bool:
    return isinstance(value, Mapping) and all(is_number(v) and v >= 0 for v in value.values())


def _are_callbacks(value: Any, or_classes: bool = False) -> bool:
    if or_classes and isinstance(value, type):
        return issubclass(value, keras.callbacks.Callback)
    if isinstance(value, dict | list):
        values = value.values() if isinstance(value, dict) else value
        return all(_are_callbacks(each, or_classes) for each in values)
    return isinstance(value, keras.callbacks.Callback)


_COUNT: tuple[Callable[[Any], bool], str] = (_is_count, "a whole number, at least 1")
_CALLBACKS = "keras.callbacks.Callback: one, or a list or dict of them"
_ALLOWED = {
    "steps": _COUNT,
    "steps_per_epoch": _COUNT,
    "validation_steps": _COUNT,
    "validation_batch_size": _COUNT,
    "validation_freq": (_are_counts, "a whole number, at least 1, or a list of epochs"),
    "initial_epoch": (lambda v: is_whole(v) and 0 <= v < _MOST, "a whole number, 0 or more"),
    "verbose": (_is_verbosity, "0, 1, 2 or 'auto'"),
    "shuffle": (_is_flag, "True or False"),
    "run_eagerly": (_is_flag, "True or False"),
    "jit_compile": (_is_flag_or_auto, "True, False or 'auto'"),
    "class_weight": (
        _are_weights,
        "a dict of one weight for every class code, as Keras has it; or pass class_weight to the "
        "estimator, which keeps probabilities true",
    ),
    "callbacks": (_are_callbacks, _CALLBACKS),
}
