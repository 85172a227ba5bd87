"""Sparse rows as tensors: a compiled function takes some of them at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from wbce._backend import tf
from wbce.tracing._inputs import as_tensor


class SparseRows(tf.experimental.ExtensionType):
    """The rows of a CSR matrix.

    Attributes
    ----------
    values : tensor of shape (n_entries,)
    columns : tensor of int32, shape (n_entries,)
    starts : tensor of int64, shape (n_rows + 1,)
        Where among the entries each row starts; and where the last one ends.
    width : int
        Columns of a row.
    """

    values: tf.Tensor
    columns: tf.Tensor
    starts: tf.Tensor
    width: int

    @classmethod
    def of(cls, X: Any, dtype: tf.DType) -> SparseRows:
        """The rows of a canonical scipy array, with at most one copy."""
        columns, starts = X.indices.astype(np.int32, copy=False), X.indptr.astype(np.int64)
        parts = ((X.data, dtype), (columns, tf.int32), (starts, tf.int64))
        return cls(*(as_tensor(part, kind) for part, kind in parts), X.shape[1])

    def spec_of_any(self) -> Any:
        """Of any number of such rows."""
        parts = (self.values, self.columns, self.starts)
        return SparseRows.Spec(*(tf.TensorSpec([None], p.dtype) for p in parts), self.width)

    def take(self, rows: Any) -> tf.SparseTensor:
        """Rows by number, in the order in which they are asked for."""
        starts = tf.gather(self.starts, rows)
        lengths = tf.gather(self.starts, rows + 1) - starts
        places = tf.ragged.range(starts, starts + lengths)
        columns = tf.cast(tf.gather(self.columns, places.flat_values), tf.int64)
        indices = tf.stack([places.value_rowids(), columns], axis=1)
        shape = tf.stack([tf.size(rows, tf.int64), tf.constant(self.width, tf.int64)])
        return tf.SparseTensor(indices, tf.gather(self.values, places.flat_values), shape)


def takes_sparse_rows(network: Any) -> bool:
    """Whether a network is made for sparse rows: its input says ``sparse=True``."""
    inputs = getattr(network, "inputs", None) or []
    return len(inputs) == 1 and bool(getattr(inputs[0], "sparse", False))
