"""The columns of what was passed as X, by name, as the person who passed it knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

MOST_COLUMNS = 300
"""Of wider tables the first are looked at."""


@dataclass(frozen=True)
class Table:
    """Columns of rows.

    Attributes
    ----------
    names : list of str
    columns : list of ndarray of shape (n_samples,)
        Of float64, missing values NaN; or of object, missing values None.
    index : ndarray of shape (n_samples,), or None
        The rows' own labels, where a frame has some that are not their numbers.
    n_left_out : int
        Columns that were not looked at.
    """

    names: list[str]
    columns: list[NDArray[Any]]
    index: NDArray[Any] | None = None
    n_left_out: int = 0


def table_of(X: Any, kept: NDArray[np.intp]) -> Table:
    """Take a table apart.

    Parameters
    ----------
    X : array-like, frame or sparse matrix
    kept : ndarray of int
        Which rows.

    Returns
    -------
    Table
        Without columns where rows are no rows of a table, such as pictures or texts.

    Examples
    --------
    >>> table = table_of([[1, "a"], [2, "b"]], np.arange(2))
    >>> table.names, table.columns[0], table.columns[1]
    (['column 0', 'column 1'], array([1., 2.]), array(['a', 'b'], dtype=object))
    """
    if hasattr(X, "columns") and hasattr(X, "__getitem__"):
        names = list(X.columns)
        columns = [_column(_of_frame(X, i), kept) for i in range(min(len(names), MOST_COLUMNS))]
        return Table(
            [str(name) for name in names[:MOST_COLUMNS]],
            columns,
            _index(X, kept),
            max(0, len(names) - MOST_COLUMNS),
        )
    if issparse(X):
        by_column = X.tocsc()[:, :MOST_COLUMNS]
        n = by_column.shape[1]
        columns = [_column(by_column[:, [i]].toarray().ravel(), kept) for i in range(n)]
        return Table(_numbered(n), columns, None, X.shape[1] - n)
    array = X if hasattr(X, "shape") else _as_objects(X)
    if array is None or len(array.shape) != 2:
        return Table([], [])
    n = min(array.shape[1], MOST_COLUMNS)
    columns = [_column(np.asarray(array[:, i]), kept) for i in range(n)]
    return Table(_numbered(n), columns, None, array.shape[1] - n)


def _numbered(n: int) -> list[str]:
    return [f"column {i}" for i in range(n)]


def _of_frame(X: Any, i: int) -> NDArray[Any]:
    column = X.iloc[:, i] if hasattr(X, "iloc") else X[X.columns[i]]  # pandas allows equal names
    return np.asarray(column.to_numpy() if hasattr(column, "to_numpy") else column)


def _index(X: Any, kept: NDArray[np.intp]) -> NDArray[Any] | None:
    index = getattr(X, "index", None)
    if index is None or not hasattr(index, "to_numpy") or len(index) != len(X):
        return None
    labels = index.to_numpy()
    return None if np.array_equal(labels, np.arange(len(labels))) else labels[kept]


def _as_objects(X: Any) -> NDArray[Any] | None:
    """Rows in lists, each value of its own type."""
    rows = [list(row) if isinstance(row, list | tuple | np.ndarray) else None for row in X]
    if not rows or any(row is None or len(row) != len(rows[0] or []) for row in rows):
        return None
    array = np.empty((len(rows), len(rows[0] or [])), dtype=object)
    array[:] = rows
    return array


def _column(values: NDArray[Any], kept: NDArray[np.intp]) -> NDArray[Any]:
    values = values[kept]
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype.kind in "mM":
        numbers = values.astype("int64").astype(np.float64)
        return np.where(np.isnat(values), np.nan, numbers)
    cells = [None if _is_missing(cell) else cell for cell in values.tolist()]
    if all(cell is None or isinstance(cell, int | float) for cell in cells):
        return np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    column = np.empty(len(cells), dtype=object)
    column[:] = [None if cell is None else str(cell) for cell in cells]
    return column


def _is_missing(cell: Any) -> bool:
    try:
        return cell is None or bool(cell != cell)
    except TypeError:  # NA, which is neither true nor false
        return True
