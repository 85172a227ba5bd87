"""The rows on which the classifier is most confidently wrong, beside typical ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._scored_rows import ScoredRows
from wbce.reporting._table import Table

N_SHOWN = 5
_N_COLUMNS = 4


@dataclass(frozen=True)
class Mistake:
    """A row that was called what it is not.

    Attributes
    ----------
    row : int
        Its number among the rows that were passed, from zero.
    index : object
        Its label in the frame; None without one.
    log_odds : float
    values : list
        Of the columns shown.
    """

    row: int
    index: Any
    log_odds: float
    values: list[Any]


@dataclass(frozen=True)
class Mistakes:
    """The worst mistakes of both kinds.

    Attributes
    ----------
    columns : list of str
        The columns that tell the classes apart best, each by itself: those are shown.
    typical_positive, typical_negative : list
        Their medians, or most frequent categories.
    false_alarms, misses : list of Mistake
        The worst first.
    """

    columns: list[str]
    typical_positive: list[Any]
    typical_negative: list[Any]
    false_alarms: list[Mistake]
    misses: list[Mistake]


def mistakes_of(rows: ScoredRows, table: Table, separation: list[float]) -> Mistakes:
    """Find the worst mistakes.

    Parameters
    ----------
    rows : ScoredRows
    table : Table
        Of the same rows.
    separation : list of float
        Of each column.

    Returns
    -------
    Mistakes
    """
    shown = np.argsort(-np.array(separation), kind="stable")[:_N_COLUMNS].tolist()

    def worst(wrong: NDArray[np.bool_], badness: NDArray[np.float64]) -> list[Mistake]:
        among = np.flatnonzero(wrong)
        order = among[np.argsort(-badness[among], kind="stable")][:N_SHOWN]
        return [
            Mistake(
                row=int(rows.kept[i]),
                index=None if table.index is None else table.index[i],
                log_odds=float(rows.log_odds[i]),
                values=[table.columns[k][i] for k in shown],
            )
            for i in order
        ]

    return Mistakes(
        columns=[table.names[k] for k in shown],
        typical_positive=[_typical(table.columns[k][rows.positive]) for k in shown],
        typical_negative=[_typical(table.columns[k][~rows.positive]) for k in shown],
        false_alarms=worst(rows.called & ~rows.positive, rows.log_odds),
        misses=worst(~rows.called & rows.positive, -rows.log_odds),
    )


def _typical(column: NDArray[Any]) -> Any:
    if column.dtype != object:
        known = column[~np.isnan(column)]
        return float(np.median(known)) if len(known) else None
    known = np.array([cell for cell in column if cell is not None], dtype=str)
    if not len(known):
        return None
    values, counts = np.unique(known, return_counts=True)
    return str(values[np.argmax(counts)])
