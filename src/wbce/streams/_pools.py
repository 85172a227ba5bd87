"""Rows of a stream on their way into training: gathered in pools that are shuffled whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce.streams._stream import Block, Stream, reading

_BYTES = 2**24

Prepared = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class Pools:
    """The rows of a stream that train, in pools of whole batches.

    The next pool is read while one is trained on.

    Parameters
    ----------
    stream : Stream
    prepare : callable
        From a block to inputs, targets and weights of the rows that train, as the network takes
        them.
    n_rows : int
        How many there are in all.
    like : tuple of ndarray
        Some rows as `prepare` gives them.
    batch_size : int
    """

    def __init__(
        self,
        stream: Stream,
        prepare: Callable[[Block], Prepared],
        n_rows: int,
        like: Prepared,
        batch_size: int,
    ) -> None:
        self._stream, self._prepare, self.n_rows = stream, prepare, n_rows
        self._dtypes = [rows.dtype for rows in like]
        of_row = sum(rows.itemsize * int(np.prod(rows.shape[1:])) for rows in like)
        self.pool_rows = max(1, _BYTES // of_row // batch_size) * batch_size

    def of_epoch(self, generator: np.random.Generator | None) -> Iterator[Prepared]:
        """All rows once."""
        pools = self._gathered(generator)
        with ThreadPoolExecutor(1) as reader:
            coming = reader.submit(next, pools, None)
            while True:
                pool = coming.result()
                if pool is None:
                    return
                coming = reader.submit(next, pools, None)
                yield pool

    def _gathered(self, generator: np.random.Generator | None) -> Iterator[Prepared]:
        waiting: list[Prepared] = []
        n_waiting = n_all = 0
        for block in self._stream.blocks(generator):
            with reading(block.name):
                X, y, weight = self._prepare(block)
            waiting.append((_row_by_row(X, self._dtypes[0]), y, weight))
            n_waiting += len(X)
            n_all += len(X)
            while n_waiting >= self.pool_rows:
                pool = self._joined(waiting)
                yield rows_of_pool(pool, slice(self.pool_rows))
                waiting = [rows_of_pool(pool, slice(self.pool_rows, None))]
                n_waiting -= self.pool_rows
        if n_all != self.n_rows:
            raise ValueError(
                f"The stream has {n_all} rows to train on, and had {self.n_rows} in the pass "
                "before training: it must give the same rows in every pass."
            )
        if n_waiting:
            yield self._joined(waiting)

    def _joined(self, pieces: list[Prepared]) -> Prepared:
        X, y, weight = (
            np.concatenate(arrays, dtype=dtype, casting="unsafe")
            for arrays, dtype in zip(zip(*pieces, strict=True), self._dtypes, strict=True)
        )
        return X, y, weight


def rows_of_pool(pool: Prepared, rows: slice) -> Prepared:
    """Some of the rows."""
    X, y, weight = pool
    return X[rows], y[rows], weight[rows]


def _row_by_row(X: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows one after the other in memory; of a frame's columns, faster than NumPy turns them."""
    if X.ndim != 2 or X.flags.c_contiguous:
        return X
    rows = np.empty(X.shape, dtype)
    for column in range(X.shape[1]):
        rows[:, column] = X[:, column]
    return rows
