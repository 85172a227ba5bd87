"""Arrays as a network takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras, tf


def input_dtypes(network: keras.Model, arrays: list[Any]) -> list[tf.DType]:
    """What the network takes, as its inputs say; else Keras' float type for floats."""
    inputs = getattr(network, "inputs", None) or []
    if len(inputs) == len(arrays):
        return [tf.as_dtype(tensor.dtype) for tensor in inputs]
    floatx = tf.as_dtype(keras.backend.floatx())
    return [
        floatx if np.dtype(a.dtype).kind == "f" else tf.as_dtype(np.dtype(a.dtype)) for a in arrays
    ]


def as_dtype(rows: NDArray[Any], dtype: tf.DType) -> NDArray[Any]:
    """Convert rows to what the network was traced for, if they are still the same numbers."""
    converted = rows.astype(dtype.as_numpy_dtype, copy=False)
    if dtype.is_integer and rows.dtype.kind == "f" and not np.array_equal(converted, rows):
        raise ValueError(
            f"X has fractions, but the network was fitted on whole numbers ({dtype.name}). Fit it "
            "on floating-point numbers."
        )
    return converted
