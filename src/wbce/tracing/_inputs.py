"""Arrays as a network takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._backend import keras, tf

_ALIGNMENT = 64


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
    with np.errstate(invalid="ignore"):  # checked
        converted = rows.astype(dtype.as_numpy_dtype, copy=False)
    _check_whole(rows, converted, dtype)
    return converted


def _check_whole(rows: NDArray[Any], converted: NDArray[Any], dtype: tf.DType) -> None:
    if not dtype.is_integer or np.can_cast(rows.dtype, converted.dtype):
        return
    if not np.array_equal(converted, rows):
        raise ValueError(
            f"X has fractions, or numbers beyond {dtype.name}, but the network was fitted on whole "
            f"numbers ({dtype.name}). Fit it on floating-point numbers."
        )


def as_tensor(rows: NDArray[Any], dtype: tf.DType) -> Any:
    """Put rows into a tensor, with at most one copy, and none where their memory will do.

    TensorFlow copies an array twice, and stops the process where memory that it is lent does not
    start at a multiple of 64 bytes.
    """
    as_numpy = np.dtype(dtype.as_numpy_dtype)
    if as_numpy.kind not in "iuf" or not rows.size:
        return tf.convert_to_tensor(as_dtype(rows, dtype))
    usable = rows.dtype == as_numpy and rows.flags.c_contiguous and rows.flags.writeable
    if not usable or rows.ctypes.data % _ALIGNMENT:
        own = aligned_empty(rows.shape, as_numpy)
        with np.errstate(invalid="ignore"):  # checked
            np.copyto(own, rows, casting="unsafe")
        _check_whole(rows, own, dtype)
        rows = own
    return tf.experimental.dlpack.from_dlpack(rows.__dlpack__())


def aligned_empty(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array whose memory a tensor can share."""
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape)) * dtype.itemsize
    memory = np.empty(n_bytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + n_bytes].view(dtype).reshape(shape)
