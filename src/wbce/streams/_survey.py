"""One pass over a stream before training: what its rows are, and some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from wbce._rows import as_labels, check_sample_weight
from wbce.columns import CategoryCounts, FrameColumns, is_frame
from wbce.networks import Moments
from wbce.streams._stream import Block, Stream, reading
from wbce.streams._uniform import uniforms

_MOST_CLASSES = 10_000
_BYTES_KEPT = 2**26
_ROWS_KEPT = 2**10, 2**18


class Survey:
    """What one pass over a stream finds.

    Parameters
    ----------
    stream : Stream
    seed : int
        For which rows are kept.
    numbers : bool
        Whether mean, standard deviation and missing values of the columns are looked for, and
        categories counted.
    known : list of labels, optional
        All that there may be, where training goes on.
    seen : callable, optional
        Called after each block with the number of rows so far, and of all if that is known.

    Attributes
    ----------
    n_rows : int
        With any weight.
    labels : list
        In the order in which they came.
    rows, counts : ndarray of shape (n_classes,)
        Of each class, in that order: how many there are, and the sum of their weights.
    moments : Moments or None
        Of the columns of numbers.
    columns : FrameColumns or None
        Where the rows are frames.
    kept_X, kept_y, kept_codes, kept_weight, kept_u : array or frame, and ndarrays
        Some rows: of each class those that `uniforms` gives the smallest numbers, in the
        order of these. All of a class that is rare enough.

    Raises
    ------
    BlockError
        That names the block which does not fit those before it.
    """

    def __init__(
        self,
        stream: Stream,
        seed: int,
        numbers: bool,
        known: list[Any] | None = None,
        seen: Callable[[int, int | None], None] = lambda n_rows, n_all: None,
    ) -> None:
        self.moments: Moments | None = None
        self._known = known
        self._categories: CategoryCounts | None = None
        self._codes_of: dict[Any, int] = {}
        self._kept = _Kept()
        self.n_rows = 0
        self.rows: NDArray[Any] = np.zeros(0, np.int64)
        self.counts: NDArray[Any] = np.zeros(0)
        first: Block | None = None
        for block in stream.blocks():
            if not len(block.y):
                continue
            with reading(block.name):
                first = first or block
                self._check_like(block, first)
                self._look_at(block, seed, numbers)
            seen(self.n_rows, stream.n_rows)
        if not self.n_rows:
            raise ValueError(
                "Found array with 0 sample(s): the stream has no rows with any weight."
            )
        self.labels = list(self._codes_of)
        self.columns = FrameColumns(self._categories) if self._categories else None
        self._kept.trim()
        self.kept_X, self.kept_y, self.kept_codes, self.kept_weight, self.kept_u = (
            self._kept.sorted_parts()
        )

    def has_missing(self, rows: NDArray[Any]) -> list[bool]:
        """Of every column whether values are missing, in any row; categories in those kept."""
        in_kept = np.isnan(rows).any(axis=0)
        return (in_kept if self.moments is None else in_kept | self.moments.missing).tolist()

    def _check_like(self, block: Block, first: Block) -> None:
        """Check that a block has the columns and the types of the first."""
        if issparse(block.X):
            raise ValueError(
                f"X is {type(block.X).__name__}, and blocks of a stream are dense. Pass all sparse "
                "rows at once, which stay sparse, or X.toarray() of each block"
            )
        if type(block.X) is not type(first.X) and is_frame(block.X) != is_frame(first.X):
            raise ValueError(
                f"X is {type(block.X).__name__} here, and {type(first.X).__name__} in {first.name}"
            )
        if is_frame(block.X):
            names, expected = list(block.X.columns), list(first.X.columns)
            if names != expected:
                raise ValueError(f"X has the columns {names}, and in {first.name} {expected}")
            return
        if np.ndim(block.X) < 2:
            raise ValueError(f"Expected 2D array, got 1D array instead: X is {np.shape(block.X)}")
        if np.shape(block.X)[1:] != np.shape(first.X)[1:]:
            raise ValueError(
                f"X has rows of shape {np.shape(block.X)[1:]}, and in {first.name} of shape "
                f"{np.shape(first.X)[1:]}"
            )
        kinds = [np.asarray(b.X).dtype for b in (block, first)]
        if not np.can_cast(kinds[0], kinds[1], "same_kind") or kinds[0].kind not in "biuf":
            raise ValueError(
                f"X has values of type {kinds[0]}, and in {first.name} of type {kinds[1]}; every "
                "block must have numbers of one kind"
            )

    def _look_at(self, block: Block, seed: int, numbers: bool) -> None:
        X, y = block.X, as_labels(block.y)
        if y.ndim != 1:
            raise ValueError(
                f"y has the shape {y.shape}: a stream has one label a row, for several "
                "labels pass arrays in memory"
            )
        if len(y) != len(X):
            raise ValueError(
                f"Found input variables with inconsistent numbers of samples: {[len(X), len(y)]}"
            )
        u = uniforms(seed, block.part, block.start, len(y))
        weight = np.ones(len(y))
        if block.sample_weight is not None and np.any(block.sample_weight):
            weight = check_sample_weight(block.sample_weight, X)
        elif block.sample_weight is not None:
            return
        if not weight.all():
            there = np.flatnonzero(weight)
            X, y, weight, u = rows_of(X, there), y[there], weight[there], u[there]
        codes = self._codes(y)
        n = len(self._codes_of)
        self.n_rows += len(y)
        self.rows = np.bincount(codes, minlength=n) + np.pad(self.rows, (0, n - len(self.rows)))
        added = np.bincount(codes, weight, minlength=n)
        self.counts = added + np.pad(self.counts, (0, n - len(self.counts)))
        if numbers:
            self._look_at_columns(X, weight)
        self._kept.add(X, y, codes, weight, u)

    def _codes(self, y: NDArray[Any]) -> NDArray[np.intp]:
        labels, inverse = np.unique(y, return_inverse=True)
        known = {type(label) for label in self._codes_of}
        for label in labels.tolist():
            if label in self._codes_of:
                continue
            if self._known is not None and label not in self._known:
                raise ValueError(
                    f"y has labels that the fit did not have: [{label!r}]. The labels are "
                    f"{self._known}"
                )
            if known and (str in known) != isinstance(label, str):
                raise ValueError(
                    f"y has the label {label!r}, and the rows before have {next(iter(known))}: "
                    "make all labels strings, or all numbers"
                )
            self._codes_of[label] = len(self._codes_of)
            if len(self._codes_of) > _MOST_CLASSES:
                raise ValueError(
                    f"y has more than {_MOST_CLASSES} different values: is it a quantity, and no "
                    "label of a class?"
                )
        return np.array([self._codes_of[label] for label in labels.tolist()])[inverse.ravel()]

    def _look_at_columns(self, X: Any, weight: NDArray[np.float64]) -> None:
        if is_frame(X):
            self._categories = self._categories or CategoryCounts()
            self._categories.add(X)
        values = _numbers_of(X, self._categories)
        if np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0].tolist()
            raise ValueError(f"X contains infinity, in its row {row}, column {column}")
        self.moments = self.moments or Moments(values.shape[1])
        self.moments.add(values, weight)


def _numbers_of(X: Any, categories: CategoryCounts | None) -> NDArray[np.float64]:
    """A matrix with a column for each of X; categories are missing."""
    if categories is None or not categories.of:
        return np.asarray(X, dtype=np.float64).reshape(len(X), -1)
    values = np.full(X.shape, np.nan)
    for i, name in enumerate(X.columns):
        if name not in categories.of:
            values[:, i] = np.asarray(X[name], dtype=np.float64)
    return values


class _Kept:
    """Of each class the rows with the smallest numbers, as many as memory allows."""

    def __init__(self) -> None:
        self._pieces: list[tuple[Any, ...]] = []
        self._cutoffs = np.zeros(0)  # by class: rows above it are not kept
        self._n_kept = 0
        self._at_most = 0

    def add(self, X: Any, y: Any, codes: Any, weight: Any, u: Any) -> None:
        if not self._at_most:
            of_row = max(1, _bytes_of(X) // len(X))
            self._at_most = int(np.clip(_BYTES_KEPT // of_row, *_ROWS_KEPT))
        more = int(codes.max()) + 1 - len(self._cutoffs)
        if more > 0:
            self._cutoffs = np.pad(self._cutoffs, (0, more), constant_values=1.0)
        wanted = np.flatnonzero(u < self._cutoffs[codes])
        if not len(wanted):
            return
        self._pieces.append(
            (rows_of(X, wanted), y[wanted], codes[wanted], weight[wanted], u[wanted])
        )
        self._n_kept += len(wanted)
        if self._n_kept > 1.5 * self._at_most:
            self.trim()

    def trim(self) -> None:
        """Keep as many rows as there may be: of every class as many as of others, or all it has."""
        codes, u = (np.concatenate([piece[i] for piece in self._pieces]) for i in (2, 4))
        level = level_of(np.bincount(codes), self._at_most)
        for k in range(len(self._cutoffs)):
            of_class = u[codes == k]
            if len(of_class) > level:
                self._cutoffs[k] = np.partition(of_class, level)[level]
        for i, (X, y, piece_codes, weight, piece_u) in enumerate(self._pieces):
            stays = np.flatnonzero(piece_u < self._cutoffs[piece_codes])
            if len(stays) < len(piece_u):
                parts = [rows_of(X, stays), *(a[stays] for a in (y, piece_codes, weight, piece_u))]
                self._pieces[i] = tuple(parts)
        self._pieces = [piece for piece in self._pieces if len(piece[4])]
        self._n_kept = sum(len(piece[4]) for piece in self._pieces)

    def sorted_parts(self) -> tuple[Any, ...]:
        X, *others = zip(*self._pieces, strict=True)
        arrays = [np.concatenate(values) for values in others]
        order = np.argsort(arrays[-1])
        self._pieces = []
        return rows_of(_joined(X), order), *(array[order] for array in arrays)


def level_of(counts: NDArray[np.int64], at_most: int) -> int:
    """How many rows of each class, where it has as many, are together at most so many."""
    left, level = at_most, 0
    for n_others, count in zip(range(len(counts), 0, -1), np.sort(counts).tolist(), strict=True):
        level = left // n_others
        if count > level:
            return max(1, level)
        left -= count
    return int(counts.max())


def rows_of(X: Any, index: NDArray[np.intp]) -> Any:
    """Rows of an array or frame by number."""
    return X.iloc[index] if hasattr(X, "iloc") else X[index]


def _joined(pieces: Any) -> Any:
    if not is_frame(pieces[0]):
        return np.concatenate(pieces)
    if type(pieces[0]).__module__.startswith("polars"):
        import polars

        return polars.concat(pieces, how="vertical_relaxed")
    import pandas

    return pandas.concat(pieces, ignore_index=True)


def _bytes_of(X: Any) -> int:
    if hasattr(X, "memory_usage"):
        return int(X.memory_usage(deep=True).sum())
    return int(X.estimated_size() if hasattr(X, "estimated_size") else X.nbytes)
