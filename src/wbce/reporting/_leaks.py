"""What in a table may know the label already: columns that separate, numbers of rows, copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from wbce.reporting._table import Table

_MOST_OF_A_CLASS = 10_000
"""Rows of each class that are looked at for separation, which does not depend on their shares."""
_SMOOTHING = 5.0
"""Rows of the base rate added to every category."""


@dataclass(frozen=True)
class Copies:
    """Rows that are there more than once.

    Attributes
    ----------
    rows : int
        That have at least one exact copy.
    positives_with_both : int
        Positives of which a copy is negative.
    from_measurements : bool
        Whether copies are no accident: some column has many distinct values.
    """

    rows: int
    positives_with_both: int
    from_measurements: bool


def separations(table: Table, positive: NDArray[np.bool_]) -> list[float]:
    """How well each column alone tells positives from negatives: area under its ROC curve.

    Between 0.5 and 1, whichever direction. Categories are ordered by the positives' share among
    other rows; missing values are tried at both ends, and by themselves.

    Parameters
    ----------
    table : Table
    positive : ndarray of bool, shape (n_samples,)

    Returns
    -------
    list of float
    """
    some = _some_of_both(positive)
    return [_separation(column[some], positive[some]) for column in table.columns]


def counters(table: Table) -> list[str]:
    """Columns that number the rows.

    Numbers: whole ones, all distinct, where by chance at least five would have met another.
    Texts: all distinct, each one word.

    Examples
    --------
    >>> rows = np.arange(100.0)
    >>> counters(Table(["id", "amount"], [rows + 7000, rows**2 / 3]))
    ['id']
    """
    return [
        name
        for name, column in zip(table.names, table.columns, strict=True)
        if len(column) >= 50 and _counts_rows(column)
    ]


def copies_of(table: Table, positive: NDArray[np.bool_]) -> Copies:
    """Count rows that are equal in all columns; none where some were not looked at."""
    n = len(positive)
    if not table.columns or table.n_left_out:
        return Copies(0, 0, False)
    keys = np.zeros(n, dtype=np.uint64)
    distinct = 0
    generator = np.random.default_rng(0)
    for column in table.columns:
        codes, n_values = _codes(column)
        distinct = max(distinct, n_values)
        # a random number for each value: sums modulo 2**64 of different rows differ
        keys += generator.integers(0, 2**64, n_values, dtype=np.uint64)[codes]
    _, place, times = np.unique(keys, return_inverse=True, return_counts=True)
    place = place.ravel()
    hits = np.bincount(place, positive, len(times))
    mixed = (hits > 0) & (hits < times)
    return Copies(
        rows=int(times[times > 1].sum()),
        positives_with_both=int(hits[mixed].sum()),
        from_measurements=distinct >= max(20, n / 10),
    )


def _some_of_both(positive: NDArray[np.bool_]) -> NDArray[np.intp]:
    generator = np.random.default_rng(0)
    parts = []
    for of_class in (np.flatnonzero(positive), np.flatnonzero(~positive)):
        if len(of_class) > _MOST_OF_A_CLASS:
            of_class = generator.choice(of_class, _MOST_OF_A_CLASS, replace=False)
        parts.append(of_class)
    return np.sort(np.concatenate(parts))


def _separation(column: NDArray[Any], positive: NDArray[np.bool_]) -> float:
    if column.dtype == object:
        scores = [_category_rates(column, positive)]
    else:
        missing = np.isnan(column)
        scores = [column]
        if missing.all():
            return 0.5
        if missing.any():
            least, most = np.nanmin(column), np.nanmax(column)
            ends = (np.nextafter(least, -np.inf), np.nextafter(most, np.inf))
            scores = [missing.astype(float), *(np.where(missing, end, column) for end in ends)]
    areas = [_area(score, positive) for score in scores]
    return max(max(area, 1 - area) for area in areas)


def _area(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Mann and Whitney's statistic (1947), as a share of the pairs."""
    n_positive = int(positive.sum())
    ranks = float(rankdata(scores)[positive].sum())
    pairs = n_positive * (len(positive) - n_positive)
    return (ranks - n_positive * (n_positive + 1) / 2) / pairs


def _category_rates(column: NDArray[Any], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The positives' share of each row's category, among the rows of the other half."""
    codes, n_values = _codes(column)
    half = np.random.default_rng(0).permutation(len(column)) % 2
    rates = np.empty(len(column))
    base_rate = positive.mean()
    for side in (0, 1):
        other = half != side
        hits = np.bincount(codes[other], positive[other], n_values)
        seen = np.bincount(codes[other], minlength=n_values)
        rate = (hits + _SMOOTHING * base_rate) / (seen + _SMOOTHING)
        rates[~other] = rate[codes[~other]]
    return rates


def _codes(column: NDArray[Any]) -> tuple[NDArray[np.intp], int]:
    if column.dtype == object:
        column = np.array(["" if cell is None else f"={cell}" for cell in column], dtype=str)
    values, codes = np.unique(column, return_inverse=True)
    return codes.ravel(), len(values)


def _counts_rows(column: NDArray[Any]) -> bool:
    n = len(column)
    if column.dtype == object:
        words = all(cell is not None and " " not in cell.strip() for cell in column[:100])
        return words and len(set(column.tolist())) == n
    if not np.isfinite(column).all() or (column != np.floor(column)).any():
        return False
    # n random whole numbers out of n**2 / 10 would meet five times: n**2 / 2 pairs
    return len(np.unique(column)) == n and float(np.ptp(column)) <= n**2 / 10
