"""What compiled functions take: rows, some of them at a time, and numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from wbce._backend import keras, tf
from wbce.tracing import SparseRows, as_tensor, input_dtypes, takes_sparse_rows


def taken(network: keras.Model, X: Any, rows: Any) -> Any:
    """Some of the rows, dense ones for a network that is not made for others."""
    if not isinstance(X, SparseRows):
        return tf.gather(X, rows)
    x = X.take(rows)
    return x if takes_sparse_rows(network) else tf.sparse.to_dense(x, validate_indices=False)


def any_number_of(rows: list[Any]) -> list[Any]:
    """Specifications of as many such rows as there may be."""
    return [
        row.spec_of_any()
        if isinstance(row, SparseRows)
        else tf.TensorSpec((None, *row.shape[1:]), row.dtype)
        for row in rows
    ]


def values_of_numbers(numbers: list[tuple[Any, str]]) -> list[Any]:
    """Numbers that a trace takes as arguments, as they are now."""
    return [
        tf.constant(np.asarray(getattr(holder, name)), getattr(holder, "dtype", "float32"))
        for holder, name in numbers
    ]


def row_tensors(
    network: keras.Model,
    X: NDArray[Any],
    y: NDArray[Any],
    sample_weight: NDArray[np.floating] | None,
) -> list[Any]:
    """Rows, targets and weights as a network takes them."""
    floatx = tf.as_dtype(keras.config.floatx())
    weights = np.ones(X.shape[0]) if sample_weight is None else sample_weight
    targets = floatx if y.dtype.kind == "f" else tf.as_dtype(y.dtype)
    dtype = input_dtypes(network, [X])[0]
    rows = SparseRows.of(X, dtype) if issparse(X) else as_tensor(X, dtype)
    return [rows, as_tensor(y, targets), as_tensor(weights, floatx)]
