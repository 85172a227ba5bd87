"""Variables and numbers that a trace takes as arguments instead of holding them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import eager_context, execute, tf

_FLOAT32 = tf.float32.as_datatype_enum


def resource_variables(variables: Sequence[Any]) -> list[Any]:
    """TensorFlow's variables behind Keras' variables."""
    return [variable._value for variable in variables]  # `value` may be cast, or a scope's


def values_of(handles: Sequence[Any]) -> list[NDArray[Any]]:
    """The values of float32 variables by their handles, not copied, in one operation."""
    attributes = ("N", len(handles), "dtypes", [_FLOAT32] * len(handles))
    read = execute.execute(
        b"_ReadVariablesOp", len(handles), list(handles), attributes, eager_context()
    )
    return [np.asarray(value) for value in read]


def tensors_of(variables: Sequence[Any]) -> list[Any]:
    """The values of TensorFlow variables, in one operation; copied if a variable then changes."""
    types = [variable.dtype.as_datatype_enum for variable in variables]
    attributes = ("N", len(variables), "dtypes", types)
    handles = [variable.handle for variable in variables]
    return list(
        execute.execute(b"_ReadVariablesOp", len(handles), handles, attributes, eager_context())
    )


@contextmanager
def lent_variables(owners: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """Let Keras variables stand for other TensorFlow variables while a function is traced.

    Parameters
    ----------
    owners : sequence of keras.Variable
        What layers and optimizers read and assign.
    values : sequence of tf.Variable
        What is read and assigned instead.
    """
    own = resource_variables(owners)
    try:
        for owner, value in zip(owners, values, strict=True):
            owner._value = value
        yield
    finally:
        for owner, value in zip(owners, own, strict=True):
            owner._value = value


@contextmanager
def lent_numbers(numbers: Sequence[tuple[Any, str]], values: Sequence[Any]) -> Iterator[None]:
    """Let numbers among the attributes of objects be tensors while a function is traced.

    Parameters
    ----------
    numbers : sequence of (object, str)
        Objects and the names of their attributes.
    values : sequence of tensor
    """
    own = [getattr(holder, name) for holder, name in numbers]
    try:
        for (holder, name), value in zip(numbers, values, strict=True):
            setattr(holder, name, value)
        yield
    finally:
        for (holder, name), value in zip(numbers, own, strict=True):
            setattr(holder, name, value)
