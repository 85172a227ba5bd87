"""What the built-in networks do to the columns of sparse rows before anything is learned."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from wbce._backend import keras, tf

_FAR = 1e18  # its square does not overflow
_CAP = 10.0


@keras.saving.register_keras_serializable("wbce")
class SparseColumns(keras.layers.Layer):
    """Numbers scaled and not centred, so that what is zero stays zero; rows of length one.

    A number is divided by its column's root mean square among the rows where it is not zero,
    and mapped by ``x / sqrt(1 + (x / 10)**2)``, never beyond ten; then all are divided by one
    number, from which rows have the mean square length one. A frequent column so counts for more
    than a rare one, of which little can be known. Takes sparse rows, and returns sparse ones; or
    dense ones, and returns these.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make room for a scale for every column, and one for rows."""
        shape = (input_shape[-1],)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones", trainable=False)
        self.length = self.add_weight(name="length", shape=(), initializer="ones", trainable=False)

    def call(self, inputs: Any) -> Any:
        """Scale and squash."""
        scale, length = (tf.convert_to_tensor(variable) for variable in self.fitted)
        if not isinstance(inputs, tf.SparseTensor):
            return _squashed(inputs * scale, tf) / length
        values = inputs.values * tf.gather(scale, inputs.indices[:, 1])
        return inputs.with_values(_squashed(values, tf) / length)

    def compute_output_spec(self, inputs: Any) -> Any:
        """As many columns as there were, sparse if they were."""
        return keras.KerasTensor(inputs.shape, self.compute_dtype, sparse=inputs.sparse)

    @property
    def fitted(self) -> list[Any]:
        """What `fit` finds, as variables."""
        return [self.scale, self.length]

    def fit(self, X: Any, sample_weight: NDArray[np.float64]) -> None:
        """Take the scales from rows, weighted, which may be dense.

        A column that has no entry takes the scale that entries would have without regard to
        columns: it may have some in a later part of a stream.
        """
        X = csr_array(X).astype(np.float64)
        if not X.nnz:
            return
        largest = np.abs(X.data).max()
        squares, there = _like(X, np.square(X.data / largest)), _like(X, np.ones_like(X.data))
        total, count = squares.T @ sample_weight, there.T @ sample_weight
        overall = total.sum() / count.sum()
        mean = np.where(total > 0, total / np.where(count > 0, count, 1.0), overall)
        scale = 1.0 / np.maximum(largest * np.sqrt(mean), np.finfo(np.float32).tiny)
        squashed = _squashed(X.data * scale[X.indices], np)
        lengths = _like(X, np.square(squashed)).sum(axis=1)
        self.scale.assign(scale)
        self.length.assign(np.sqrt(lengths @ sample_weight / sample_weight.sum()))


def sparse_columns_in_numpy(
    X: csr_array, scale: NDArray[np.float32], length: NDArray[np.float32]
) -> csr_array:
    """`SparseColumns` in NumPy, of float32 rows."""
    with np.errstate(over="ignore"):  # what overflows is clipped
        values = X.data * scale[X.indices]
    return _like(X, _squashed(values, np) / length)


def _like(X: csr_array, data: NDArray[Any]) -> csr_array:
    """A matrix with other entries in the same places."""
    return csr_array((data, X.indices, X.indptr), X.shape)


def _squashed(x: Any, of: Any) -> Any:
    x = of.minimum(of.maximum(x, -_FAR), _FAR)
    part = x / _CAP
    return x / of.sqrt(1 + part * part)
