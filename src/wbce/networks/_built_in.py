"""The built-in networks by name, in plain Keras."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wbce._backend import keras
from wbce.networks._inputs import InputColumns
from wbce.networks._members import MemberDense, Mixture, PeriodicFeatures, ToMembers
from wbce.networks._sparse_columns import SparseColumns

layers = keras.layers

Columns = tuple[list[int], list[bool]]

DEFAULT_NETWORK = "ensemble"
DEFAULT_SPARSE_NETWORK = "linear"
N_MEMBERS = 16


def build_ensemble(
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    columns: Columns | None = None,
    multi_label: bool = False,
    n_members: int = N_MEMBERS,
    hidden_layer_sizes: Sequence[int] = (64, 32),
    activation: str = "silu",
    n_knots: int = 17,
    n_frequencies: int | None = None,
    spread: float = 0.1,
    slowest: float = 0.1,
) -> keras.Model:
    """Build several small perceptrons in one graph, whose mean probability is the output.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one row; more than one dimension is flattened.
    n_outputs : int
        One sigmoid for two classes, else a softmax over all.
    columns : (list of int, list of bool), optional
        As `InputColumns` takes them; None is for numbers, none of them missing.
    multi_label : bool, default=False
        Whether the outputs are labels that do not exclude each other, with a sigmoid each.
    n_members : int, default=16
    hidden_layer_sizes : sequence of int, default=(64, 32)
    activation : str, default="silu"
    n_knots : int, default=17
        Of every number's rank, see `InputColumns`; 0 for no ranks.
    n_frequencies : int, optional
        Periodic features of every number and every rank; 0 for none. By default 4, and where
        those would be more than 256, fewer, but one at least.
    spread : float, default=0.1
        Of their frequencies at the start, see `PeriodicFeatures`.
    slowest : float, default=0.1
        How fast frequencies are learnt by the member that learns them slowest.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    whole = n_frequencies is None or (_is_whole(n_frequencies) and n_frequencies >= 0)
    _check("n_frequencies", n_frequencies, whole, "a whole number, zero or more, or None")
    knots = _is_whole(n_knots) and (n_knots == 0 or n_knots >= 2)
    _check("n_knots", n_knots, knots, "a whole number, two or more, or zero")
    share = _is_number(slowest) and 0 < slowest <= 1
    _check("slowest", slowest, share, "a number above zero and at most one")
    finite = _is_number(spread) and 0 <= spread < math.inf
    _check("spread", spread, finite, "a number, zero or more")
    _check_sizes(hidden_layer_sizes)
    inputs, x, n_numbers = _columns_of(input_shape, columns, n_knots)
    x = ToMembers(n_members)(x)
    if n_frequencies is None:
        n_frequencies = min(4, max(1, 256 // max(1, n_numbers)))
    if n_frequencies and n_numbers:
        x = PeriodicFeatures(n_members, n_numbers, n_frequencies, spread, slowest)(x)
    for size in hidden_layer_sizes:
        x = MemberDense(n_members, size, activation)(x)
    end = _end_for(n_outputs, multi_label)
    # A tenth of the usual size: all rows start near the base rate. The map of a loss such as focal
    # multiplies what the first weights, which know nothing, say of a row.
    x = MemberDense(n_members, n_outputs, gain=0.01)(x)
    x = Mixture(n_members, end == "softmax")(x)
    return keras.Model(inputs, layers.Activation(end)(x), name="ensemble")


def build_mlp(
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    columns: Columns | None = None,
    multi_label: bool = False,
    sparse: bool = False,
    hidden_layer_sizes: Sequence[int] = (64, 32),
) -> keras.Model:
    """Build a multi-layer perceptron; parameters as in :func:`build_ensemble`.

    With ``sparse`` it is for rows of numbers that are mostly zero, see `SparseColumns`.
    """
    _check_sizes(hidden_layer_sizes)
    inputs, x = _sparse_columns_of(input_shape) if sparse else _columns_of(input_shape, columns)[:2]
    for size in hidden_layer_sizes:
        x = layers.Dense(size, activation="relu", kernel_initializer="he_uniform")(x)
    small = keras.initializers.VarianceScaling(0.01, "fan_avg", "uniform")
    activation = _end_for(n_outputs, multi_label)
    outputs = layers.Dense(n_outputs, activation, kernel_initializer=small)(x)
    return keras.Model(inputs, outputs, name="mlp")


def build_linear(
    input_shape: tuple[int, ...],
    n_outputs: int,
    *,
    columns: Columns | None = None,
    multi_label: bool = False,
    sparse: bool = False,
) -> keras.Model:
    """Build a logistic regression; parameters as in :func:`build_mlp`."""
    inputs, x = _sparse_columns_of(input_shape) if sparse else _columns_of(input_shape, columns)[:2]
    activation = _end_for(n_outputs, multi_label)
    outputs = layers.Dense(n_outputs, activation, kernel_initializer="zeros")(x)
    return keras.Model(inputs, outputs, name="linear")


BUILT_IN: dict[str, Callable[..., keras.Model]] = {
    "ensemble": build_ensemble,
    "mlp": build_mlp,
    "linear": build_linear,
}


def _columns_of(
    input_shape: tuple[int, ...], columns: Columns | None, n_knots: int = 0
) -> tuple[Any, Any, int]:
    """Inputs, the columns made of them, and how many of these are numbers."""
    inputs = keras.Input(input_shape)
    x = inputs if len(input_shape) == 1 else layers.Flatten()(inputs)
    n_columns = math.prod(input_shape)
    n_categories, may_miss = columns or ([0] * n_columns, [False] * n_columns)
    layer = InputColumns(n_categories, may_miss, n_knots, name="columns")
    return inputs, layer(x), layer.n_numeric


def _sparse_columns_of(input_shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Inputs that may be sparse, and the columns made of them."""
    inputs = keras.Input(input_shape, sparse=True)
    return inputs, SparseColumns(name="columns")(inputs)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and _is_number(value)


def _check(name: str, value: Any, allowed: bool, what: str) -> None:
    if not allowed:
        raise ValueError(f"model__{name}={value!r}: pass {what}.")


def _check_sizes(sizes: Any) -> None:
    several = isinstance(sizes, list | tuple | np.ndarray)
    allowed = several and all(_is_whole(size) and size > 0 for size in sizes)
    _check("hidden_layer_sizes", sizes, allowed, "a list of whole numbers above zero")


def _end_for(n_outputs: int, multi_label: bool) -> str:
    return "sigmoid" if n_outputs == 1 or multi_label else "softmax"
