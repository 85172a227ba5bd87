"""Dask's arrays and frames, a partition at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wbce.streams._stream import PartedStream


def is_dask(X: Any) -> bool:
    """Whether X is an array or a frame of Dask."""
    return type(X).__module__.partition(".")[0] in ("dask", "dask_expr") and hasattr(X, "dask")


class DaskStream(PartedStream):
    """The partitions of a Dask array or frame, each computed when it is read.

    Parameters
    ----------
    X : dask array of shape (n_samples, ...) or dask frame
    y : dask array or series, array-like, or the name of a column of X
    sample_weight : as y, optional
    """

    read_at_once = 2

    def __init__(self, X: Any, y: Any, sample_weight: Any = None) -> None:
        if _is_frame(X):
            columns = {}
            for role, values in (("y", y), ("sample_weight", sample_weight)):
                if isinstance(values, str):
                    if values not in X.columns:
                        raise ValueError(
                            f"{role}={values!r} is no column of X: pass the name of one, of "
                            f"{list(X.columns)}, or a Dask series."
                        )
                    columns[role] = X[values]
            X = X.drop(columns=[series.name for series in columns.values()])
            y, sample_weight = columns.get("y", y), columns.get("sample_weight", sample_weight)
        elif X.ndim < 2:
            raise ValueError(f"Expected 2D array, got a Dask array of shape {X.shape} as X.")
        else:
            X = X.rechunk({axis: -1 for axis in range(1, X.ndim)})
        self._parts = _blocks(X)
        self._others = [
            None if values is None else _aligned(role, values, X, len(self._parts))
            for role, values in (("y", y), ("sample_weight", sample_weight))
        ]

    @property
    def n_parts(self) -> int:
        """How many partitions there are."""
        return len(self._parts)

    def where(self, part: int) -> str:
        """Number of the partition."""
        return f"partition {part} of X"

    def read(self, part: int) -> Iterator[tuple[Any, Any, Any]]:
        """One partition, computed by whatever Dask's scheduler is."""
        import dask

        y, weight = (None if parts is None else parts[part] for parts in self._others)
        try:
            found = dask.compute(self._parts[part], y, weight)
        except Exception as error:
            raise RuntimeError(_of_the_cluster(error)) from error
        lengths = {len(values) for values in found if values is not None}
        if len(lengths) > 1:
            names = ", ".join(str(len(v)) for v in found if v is not None)
            raise ValueError(
                f"X, y and sample_weight have {names} rows here. Divide them alike, for instance "
                "y.rechunk(X.chunks[0]) or X.repartition"
            )
        if lengths != {0}:
            yield found


def _of_the_cluster(error: Exception) -> str:
    """What went wrong, by the name of the worker where that is known."""
    said = " ".join(str(error).split())[:300] or type(error).__name__
    worker = getattr(error, "last_worker", None)
    if worker is not None:
        return f"worker {getattr(worker, 'address', worker)} of the cluster was lost ({said})"
    if type(error).__module__.startswith(("distributed", "asyncio", "concurrent")):
        return f"the cluster has gone or gave up the work ({type(error).__name__}: {said})"
    return f"{type(error).__name__}: {said}"


def _is_frame(X: Any) -> bool:
    return hasattr(X, "partitions") and hasattr(X, "columns")


def _blocks(values: Any) -> list[Any]:
    """Every partition, not computed."""
    if hasattr(values, "partitions") and not hasattr(values, "chunks"):
        return [values.partitions[i] for i in range(values.npartitions)]
    return [values.blocks[i] for i in range(values.numblocks[0])]


def _aligned(role: str, values: Any, X: Any, n_parts: int) -> list[Any]:
    """Labels or weights, divided as X is."""
    lengths: Any = (np.nan,) if _is_frame(X) else X.chunks[0]
    known = not np.isnan(lengths).any()
    if not is_dask(values):
        values = np.asarray(values)
        if not known:
            raise ValueError(
                f"{role} is no Dask collection, and how many rows each partition of X has is not "
                f"known: pass {role} as one of Dask's, divided as X is, or call "
                "X.compute_chunk_sizes() first."
            )
        if len(values) != sum(lengths):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"{[sum(lengths), len(values)]}."
            )
        return np.split(values, np.cumsum(lengths)[:-1])
    if hasattr(values, "chunks") and known and not np.isnan(values.chunks[0]).any():
        if sum(values.chunks[0]) != sum(lengths):
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"{[sum(lengths), sum(values.chunks[0])]}."
            )
        values = values.rechunk({0: lengths})
    parts = _blocks(values)
    if len(parts) != n_parts:
        raise ValueError(f"{role} has {len(parts)} partitions, and X {n_parts}: divide them alike.")
    return parts


def lazily(
    estimator: Any, method: str, X: Any, columns: int | None, dtype: Any, arguments: Any
) -> Any:
    """What a method of a fitted estimator says of Dask rows, not computed yet.

    Parameters
    ----------
    estimator : WeightedKerasClassifier
        Goes into the graph once.
    method : str
    X : dask array or frame
    columns : int or None
        Of the result; None for one number a row.
    dtype : numpy dtype
        Of the result.
    arguments : dict
        For the method.

    Returns
    -------
    dask array
        With the partitions of X.
    """
    import dask
    import dask.array

    once = dask.delayed(estimator, traverse=False)
    if not _is_frame(X):
        X = X.rechunk({axis: -1 for axis in range(1, X.ndim)})
    parts = [dask.delayed(_said)(once, method, p, arguments) for p in np.ravel(X.to_delayed())]
    lengths = [np.nan] * len(parts) if _is_frame(X) else X.chunks[0]
    arrays = [
        dask.array.from_delayed(
            part, (length,) if columns is None else (length, columns), dtype=dtype
        )
        for part, length in zip(parts, lengths, strict=True)
    ]
    return dask.array.concatenate(arrays, allow_unknown_chunksizes=True)


def _said(estimator: Any, method: str, rows: Any, arguments: dict[str, Any]) -> Any:
    if not len(rows):
        n = len(estimator.classes_)
        return np.empty((0, n) if method.startswith("predict_") else (0,))
    return getattr(estimator, method)(rows, **arguments)
