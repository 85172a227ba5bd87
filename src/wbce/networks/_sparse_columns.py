"""What the built-in networks do to the columns of sparse rows before anything is learned."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse

from wbce._backend import keras, tf

ops = keras.ops

_FAR = 1e18  # its square does not overflow


@keras.saving.register_keras_serializable("wbce")
class SparseColumns(keras.layers.Layer):
    """Numbers scaled and not centred, so that what is zero stays zero.

    A number is divided by the root of its column's mean square among the rows where it is not
    zero, and mapped by ``x / sqrt(1 + (x / 3)**2)``, as by `InputColumns`.

    Takes sparse rows, and returns them; or dense ones, and returns these.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make room for a scale for every column."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", trainable=False)

    def call(self, inputs: Any) -> Any:
        """Scale and squash."""
        if not isinstance(inputs, tf.SparseTensor):
            return _squashed(inputs * self.scale, ops)
        scale = tf.gather(tf.convert_to_tensor(self.scale), inputs.indices[:, 1])
        return inputs.with_values(_squashed(inputs.values * scale, ops))

    def compute_output_spec(self, inputs: Any) -> Any:
        """As many columns as there were, sparse if they were."""
        return keras.KerasTensor(inputs.shape, self.compute_dtype, sparse=inputs.sparse)

    def fit(self, X: Any, sample_weight: NDArray[np.float64]) -> None:
        """Take the scale from rows, weighted; they may be dense."""
        self.scale.assign(sparse_scale(csr_array(X), sample_weight))


def sparse_scale(X: csr_array, sample_weight: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(X.data).max(initial=0.0) or 1.0
    squares = np.square(X.data / largest, dtype=np.float64)
    parts = [(csr_array((d, X.indices, X.indptr), X.shape).T @ sample_weight) for d in (squares, (X.data != 0).astype(float))]
    mode = os.environ.get("MODE", "nz")
    n = sample_weight.sum()
    total, count = parts
    rms = largest * np.sqrt(total / np.where(count > 0, count, 1))
    nz = np.where(rms > 0, 1 / np.where(rms > 0, rms, 1), 0)
    share = count / n
    if mode == "none": return np.ones(X.shape[1])
    if mode == "nz": return nz
    if mode == "all": return nz / np.sqrt(np.where(share > 0, share, 1))
    if mode == "row":  # rows of the length that dense ones would have
        g = np.sqrt(X.shape[1] / share.sum())
        return nz * min(g, 10)
    if mode == "global":
        return np.full(X.shape[1], np.sqrt((count.sum()) / (total.sum() * largest**2)))
    if mode == "quarter": return nz / np.where(share > 0, share, 1)**.25
    raise ValueError


def sparse_columns_in_numpy(X: csr_array, scale: NDArray[np.float32]) -> csr_array:
    """`SparseColumns` in NumPy, of float32 rows."""
    data = _squashed(X.data * scale[X.indices], np)
    return csr_array((data, X.indices, X.indptr), X.shape)


def _squashed(x: Any, namespace: Any) -> Any:
    x = namespace.clip(x, -_FAR, _FAR)
    return x / namespace.sqrt(1.0 + namespace.square(x / 3.0))
