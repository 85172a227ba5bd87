"""Sparse rows: as one kind of matrix, and a few at a time as dense ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_NUMBERS_AT_ONCE, _ROWS_AT_ONCE = 2**24, 2**14
_MOST_COLUMNS = 2**31 - 1


def canonical(X: Any) -> csr_array:
    """A CSR array with one entry a place, in order, and none for zero; X is not changed.

    Raises
    ------
    ValueError
        If an entry is NaN or infinite, or there are more columns than can be counted.
    """
    if X.shape[1] > _MOST_COLUMNS:
        raise ValueError(
            f"X has {X.shape[1]} columns, and {_MOST_COLUMNS} are the most. Hash them into fewer."
        )
    X = csr_array(X)
    if not X.has_canonical_format or np.count_nonzero(X.data) < X.data.size:
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    bad = 0 if X.dtype.kind in "biu" else X.data.size - np.count_nonzero(np.isfinite(X.data))
    if bad:
        raise ValueError(
            f"X is sparse and contains NaN or infinity: {bad} entries. Of sparse rows what is not "
            "there is zero, and nothing can be missing. Leave these entries out, or replace them."
        )
    return X


def dense_blocks(X: csr_array) -> Iterator[NDArray[Any]]:
    """Rows as dense ones, a few at a time."""
    n_rows = max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // X.shape[1]))
    for start in range(0, X.shape[0], n_rows):
        yield X[start : start + n_rows].toarray()
