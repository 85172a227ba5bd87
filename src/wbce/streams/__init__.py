"""Rows that are not in memory: maps of files, Parquet, Dask, and batches that come one by one."""

from __future__ import annotations

from typing import Any

import numpy as np

from wbce._backend import keras, tf
from wbce.streams._arrays import ArrayStream, is_large_map
from wbce.streams._batches import BatchStream, IndexedStream, SpooledStream
from wbce.streams._dask import DaskStream, is_dask, lazily
from wbce.streams._parquet import ParquetStream, is_dataset
from wbce.streams._pools import Pools, Prepared, rows_of_pool
from wbce.streams._rows import StreamRows
from wbce.streams._stream import Block, Stream, reading
from wbce.streams._survey import Survey, rows_of

__all__ = [
    "Block",
    "Pools",
    "Prepared",
    "Stream",
    "StreamRows",
    "Survey",
    "is_dask",
    "lazily",
    "reading",
    "rows_of",
    "rows_of_pool",
    "stream_of",
    "stream_to_predict",
]

_TABLES = list | str | bytes | dict | np.ndarray


def stream_of(X: Any, y: Any, sample_weight: Any) -> Stream | None:
    """Find out whether rows are a stream; None is a table in memory.

    Raises
    ------
    ValueError
        If labels or weights are passed beside batches that have their own, or are missing.
    """
    if is_large_map(X) and y is not None:
        return ArrayStream(X, y, sample_weight)
    if is_dask(X) and y is not None:
        return DaskStream(X, y, sample_weight)
    if is_dataset(X):
        if y is None:
            raise ValueError("y is None: pass the name of the column that has the labels.")
        return ParquetStream(X, y, sample_weight)
    found = _batches_of(X) if y is None else None
    if found is not None and sample_weight is not None:
        raise ValueError(
            "sample_weight was passed beside a stream of batches: give each batch its own, as "
            "(X, y, sample_weight)."
        )
    if found is None and y is not None and _batches_of(X, opened=False):
        raise ValueError(
            f"X is {type(X).__name__}, a stream of batches, and y was passed as well: let it give "
            "batches (X, y), and leave out y."
        )
    return found


def stream_to_predict(X: Any, columns: Any) -> Stream | None:
    """Rows without labels, of these columns if they have names; None for a table in memory."""
    if is_large_map(X):
        return ArrayStream(X, np.zeros(len(X), np.int8))
    if is_dataset(X):
        return ParquetStream(X, None, columns=columns)
    return None


def _batches_of(X: Any, opened: bool = True) -> Any:
    """Batches that come one after the other, or by number."""
    if isinstance(X, tf.data.Dataset):
        if not opened:
            return True
        if X.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                "X is a tf.data.Dataset that never ends: leave out .repeat(), the number of epochs "
                "is a parameter."
            )
        return BatchStream(X.as_numpy_iterator, "the tf.data.Dataset")
    if isinstance(X, keras.utils.PyDataset):
        return IndexedStream(X) if opened else True
    if isinstance(X, _TABLES) or hasattr(X, "__array__") or hasattr(X, "shape"):
        return None
    if hasattr(X, "__next__"):
        return SpooledStream(X) if opened else True
    if callable(X):
        return BatchStream(X, "the callable") if opened else True
    if hasattr(X, "__iter__") and not isinstance(X, tuple | set):
        return BatchStream(X.__iter__, type(X).__name__) if opened else True
    return None
