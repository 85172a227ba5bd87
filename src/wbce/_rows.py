"""Rows on their way through ``fit``: checked, encoded and weighted together."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length


@dataclass(frozen=True)
class Rows:
    """Some rows of a table.

    Attributes
    ----------
    X, y : ndarray
        Inputs and labels as validated, not yet encoded for the network.
    codes : ndarray of intp, shape (n_samples,), or None
        Class codes; None where a row has several labels.
    sample_weight : ndarray of shape (n_samples,)
        How many rows of the population each row stands for; above zero.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    codes: Any
    sample_weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sample_weight)

    def take(self, index: NDArray[np.intp]) -> Rows:
        """Select rows by number."""
        codes = None if self.codes is None else self.codes[index]
        return Rows(self.X[index], self.y[index], codes, self.sample_weight[index])


def check_sample_weight(
    sample_weight: Any, X: Any, name: str = "sample_weight"
) -> NDArray[np.float64]:
    """Check sample weights; None is one for every row.

    Raises
    ------
    ValueError
        If they are negative, not finite, all zero, not numbers, or not one for every row.
    """
    if sample_weight is None:
        return np.ones(len(X))
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(len(X), sample_weight)
    weights = check_array(
        sample_weight, ensure_2d=False, allow_nd=True, dtype=np.float64, input_name=name
    )
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar: {name} has shape {weights.shape}, and "
            f"one weight for each of the {len(X)} rows is expected."
        )
    check_consistent_length(X, weights)
    if (weights < 0).any():
        raise ValueError(
            f"{name} has {int((weights < 0).sum())} negative values (the least is "
            f"{weights.min():g}). A sample weight says how many rows a row stands for: zero or "
            "more."
        )
    if not weights.any():
        raise ValueError(
            f"Sample weights must contain at least one non-zero number: only zeros were passed in "
            f"{name}, so there is no row to train on."
        )
    return weights
