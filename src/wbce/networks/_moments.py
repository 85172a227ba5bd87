"""Means and standard deviations of columns, from rows that come in blocks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Moments:
    """Weighted mean and standard deviation of every column, and whether values are missing.

    Blocks are joined by the formulas of Chan, Golub and LeVeque (1979), so that nothing is lost
    to rounding where a mean is large.

    Parameters
    ----------
    n_columns : int

    Examples
    --------
    >>> moments = Moments(1)
    >>> for rows in ([[1.0], [2.0]], [[np.nan], [6.0]]):
    ...     moments.add(np.array(rows), np.ones(2))
    >>> moments.mean.tolist(), round(float(moments.deviation[0]), 3), moments.missing.tolist()
    ([3.0], 2.16, [True])
    """

    def __init__(self, n_columns: int) -> None:
        self._weight = np.zeros(n_columns)
        self.mean = np.zeros(n_columns)
        self._squares = np.zeros(n_columns)
        self.missing = np.zeros(n_columns, dtype=bool)

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviation of the population."""
        return np.sqrt(self._squares / np.maximum(self._weight, np.finfo(np.float64).tiny))

    def add(self, X: NDArray[np.float64], weight: NDArray[np.float64]) -> None:
        """Join rows of shape (n_samples, n_columns) to those before."""
        unknown = np.isnan(X)
        if unknown.any():
            self.missing |= unknown.any(axis=0)
            of_each = np.where(unknown, 0.0, weight[:, np.newaxis])
            X = np.where(unknown, 0.0, X)
            added = of_each.sum(axis=0)
            there = np.maximum(added, np.finfo(np.float64).tiny)
            mean = (of_each * X).sum(axis=0) / there
            squares = (of_each * (X - mean) ** 2).sum(axis=0)
        else:
            added = np.full(X.shape[1], weight.sum())
            mean = weight @ X / added
            squares = weight @ (X - mean) ** 2
        total = self._weight + added
        share = added / np.maximum(total, np.finfo(np.float64).tiny)
        apart = mean - self.mean
        self._squares += squares + apart**2 * self._weight * share
        self.mean = self.mean + apart * share
        self._weight = total
