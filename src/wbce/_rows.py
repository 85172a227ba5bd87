"""Rows on their way through ``fit``: checked, encoded and weighted together."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, check_consistent_length


@dataclass(frozen=True)
class Everything:
    """What a splitter of the user's wants to see: all rows, also those without weight.

    Attributes
    ----------
    kept : ndarray of bool, shape (n_passed,)
        Which of them have weight.
    y : ndarray of shape (n_passed,) or (n_passed, n_labels)
    groups : ndarray of shape (n_passed,), or None
    """

    kept: NDArray[np.bool_]
    y: NDArray[Any]
    groups: Any


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
    groups : ndarray of shape (n_samples,), or None
        Rows of one group are not divided between training and judging.
    everything : Everything or None
        What the user passed, where some rows have no weight and are not among these.
    held_out : list of ndarray of int, or None
        For every member of the network which of the rows it does not train on, but judges.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    codes: Any
    sample_weight: NDArray[np.float64]
    groups: Any = None
    everything: Everything | None = None
    held_out: list[NDArray[np.intp]] | None = None

    def __len__(self) -> int:
        return len(self.sample_weight)

    def trained_on(self) -> list[NDArray[np.intp]] | None:
        """For every member of the network which of the rows it trains on; None is all."""
        if self.held_out is None:
            return None
        every = np.arange(len(self))
        return [np.setdiff1d(every, held, assume_unique=True) for held in self.held_out]

    def take(self, index: NDArray[np.intp]) -> Rows:
        """Select rows by number."""
        codes = None if self.codes is None else self.codes[index]
        groups = None if self.groups is None else self.groups[index]
        return Rows(self.X[index], self.y[index], codes, self.sample_weight[index], groups)


@dataclass(frozen=True)
class Judged:
    """Rows that judge, as networks see them that were not trained on them.

    Attributes
    ----------
    codes : ndarray of shape (n_samples,) or (n_samples, n_labels)
    sample_weight : ndarray of shape (n_samples,)
    n_passed : int
        Among how many rows the user counts, of which these were judged.
    z : ndarray of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
        Logits.
    scores : ndarray of the shape of z, or None
        Log-odds of the posterior, or the logarithm of every class's; None where it is that of
        the fitted network's logits.
    """

    codes: Any
    sample_weight: NDArray[np.float64]
    n_passed: int
    z: NDArray[np.float64]
    scores: Any = None


def check_groups(groups: Any, X: Any) -> NDArray[Any] | None:
    """Check that there is one group for every row; None is none.

    Raises
    ------
    ValueError
        If there is not.
    """
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.ndim != 1:
        raise ValueError(
            f"groups has shape {groups.shape}; one group for each of the {len(X)} rows is expected."
        )
    check_consistent_length(X, groups)
    try:
        missing = bool((np.unique(groups) != np.unique(groups)).any())
    except TypeError:
        missing = True
    if missing:
        raise ValueError("groups must be numbers or strings, one for every row, and none missing.")
    return groups


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
