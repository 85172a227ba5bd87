"""Labels as the losses take them, and what is said of those that they do not take."""

from __future__ import annotations

from typing import Any

import numpy as np

from wbce._backend import keras, tf

ops = keras.ops

_CODES = (
    "Labels must be class codes, 0 to {last}, or one-hot rows of {n}. Encode labels of other kinds "
    "first (sklearn.preprocessing.LabelEncoder), or use WeightedKerasClassifier, which does"
)
_INDICATORS = "With multi_label=True labels must be 0 or 1, a column for every label"


def class_rows(
    y_true: Any, n_classes: int, z: Any, *, one_column: bool = False, checked: bool = False
) -> Any:
    """One-hot rows from class codes or one-hot rows.

    Parameters
    ----------
    y_true : tensor of shape (n,), (n, 1) or (n, n_classes)
    n_classes : int
    z : tensor of shape (n, ...)
        The logits, for the number of rows and the dtype.
    one_column : bool
        For two classes: whether to return a zero or one a row instead.
    checked : bool
        Whether the labels are known to be right.

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError
        For other labels; the second from within a compiled step.
    """
    shape = tuple(y_true.shape)
    said = _CODES.format(last=n_classes - 1, n=n_classes)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (1, n_classes)):
        raise ValueError(f"{said}; got labels of shape {shape}.")
    check_as_many_rows(y_true, z, "labels")
    dtype = z.dtype
    if len(shape) == 2 and shape[1] == n_classes:
        rows = ops.cast(y_true, dtype)
        if not checked:
            require(
                rows,
                lambda a, m: m.all((a == 0) | (a == 1)) & m.all(m.sum(a, -1) == 1),
                f"{said}; got rows of {n_classes} columns that are not one-hot",
            )
        return rows[:, 1] if one_column else rows
    codes = ops.reshape(y_true, (-1,))
    if not checked:
        require(
            codes,
            lambda a, m: m.all((a >= 0) & (a < n_classes) & (a == m.floor(a))),
            said,
        )
    if one_column:
        return ops.cast(codes, dtype)
    return ops.one_hot(ops.cast(codes, "int32"), n_classes, dtype=dtype)


def label_columns(y_true: Any, z: Any, *, checked: bool = False) -> Any:
    """Zeros and ones, a column for every label.

    Parameters
    ----------
    y_true : tensor of shape (n, n_labels)
    z : tensor of shape (n, n_labels)
    checked : bool
        Whether the labels are known to be right.

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError
        For other labels; the second from within a compiled step.
    """
    shape = tuple(y_true.shape)
    if len(shape) != 2 or shape[1] != z.shape[-1]:
        raise ValueError(
            f"{_INDICATORS}; got labels of shape {shape} for {z.shape[-1]} outputs. For classes "
            "that exclude each other pass multi_label=False."
        )
    check_as_many_rows(y_true, z, "labels")
    y = ops.cast(y_true, z.dtype)
    if not checked:
        require(y, lambda a, m: m.all((a == 0) | (a == 1)), _INDICATORS)
    return y


def check_as_many_rows(values: Any, z: Any, name: str) -> None:
    """Raise if there are not as many labels or weights as outputs, where both are known."""
    n, expected = values.shape[0], z.shape[0]
    if n is not None and expected is not None and n != expected:
        raise ValueError(f"{n} {name} were passed for {expected} rows of outputs.")


def require(value: Any, holds: Any, message: str) -> None:
    """Check values now, or, where they are not known yet, when the compiled step runs.

    Parameters
    ----------
    value : tensor
    holds : callable
        Of the values and of what has ``all``, ``sum`` and ``floor`` for them.
    message : str

    Raises
    ------
    ValueError, tf.errors.InvalidArgumentError
        The second from within a compiled step.
    """
    if tf.is_symbolic_tensor(value):
        value = tf.cast(value, "float32")
        shown = [f"{message}; got values from", tf.reduce_min(value), "to", tf.reduce_max(value)]
        tf.debugging.Assert(holds(value, _Compiled), shown)
        return
    values = np.asarray(value, dtype=np.float64)
    if values.size and not holds(values, _Eager):
        strange = np.unique(values)
        listed = ", ".join(f"{v:g}" for v in strange[:5]) + (" ..." if len(strange) > 5 else "")
        raise ValueError(f"{message}; got {listed}.")


class _Eager:
    all, sum, floor = staticmethod(np.all), staticmethod(np.sum), staticmethod(np.floor)


class _Compiled:
    all, sum, floor = (
        staticmethod(tf.reduce_all),
        staticmethod(tf.reduce_sum),
        staticmethod(tf.floor),
    )
