"""Arrays on disk, a piece at a time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from wbce._rows import as_labels, check_sample_weight
from wbce.streams._stream import PartedStream

LARGE = 2**29
"""Bytes from which a memory map is read in pieces, and not whole."""

_BYTES_OF_A_PART = 2**20


def is_large_map(X: Any) -> bool:
    """Whether X is a memory map that is better not read whole."""
    return isinstance(X, np.memmap) and X.nbytes >= LARGE and X.ndim > 1


class ArrayStream(PartedStream):
    """A memory map and its labels.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
    y : array-like of shape (n_samples,)
    sample_weight : array-like of shape (n_samples,), optional
    """

    def __init__(self, X: Any, y: Any, sample_weight: Any = None) -> None:
        labels = as_labels(y)
        y = y if isinstance(y, np.memmap) else labels  # whose pages can be given back
        if len(y) != len(X):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: {[len(X), len(y)]}."
            )
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, X)
        self._X, self._y, self._weight = X, y, sample_weight
        self.n_rows = len(X)
        of_row = max(1, X.nbytes // max(1, len(X)))
        self._rows_of_part = max(1, _BYTES_OF_A_PART // of_row)  # rows

    @property
    def n_parts(self) -> int:
        """How many pieces of about a megabyte there are."""
        return -(-len(self._X) // self._rows_of_part)

    def where(self, part: int) -> str:
        """Numbers of the rows."""
        return f"rows {part * self._rows_of_part} to {self._end(part) - 1} of X"

    def read(self, part: int) -> Iterator[tuple[Any, Any, Any]]:
        """One piece, copied into memory."""
        rows = slice(part * self._rows_of_part, self._end(part))
        piece = np.array(self._X[rows])
        forget_pages(self._X)
        weight = None if self._weight is None else self._weight[rows]
        yield piece, np.array(self._y[rows]), weight
        forget_pages(self._y)

    def _end(self, part: int) -> int:
        return min(len(self._X), (part + 1) * self._rows_of_part)


def forget_pages(array: Any) -> None:
    """Give back the memory in which a map shows what was read; the file stays in the cache."""
    pages = getattr(array, "_mmap", None)
    shared = getattr(array, "mode", None) in (
        "r",
        "r+",
        "w+",
    )  # a private map has changes of its own
    if shared and isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)
