"""Rows on their way through ``fit``: checked, encoded and weighted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array

from wbce._numbers import as_numbers

_LARGEST_WEIGHT = 1e100


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

    @property
    def n_rows(self) -> int:
        """How many rows these are, or stand for."""
        return len(self)

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

    def divided(self, train: NDArray[np.intp], held: NDArray[np.intp]) -> tuple[Rows, Rows]:
        """Those that train, and those that judge."""
        return self.take(train), self.take(held)


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
    array = _as_array("groups", groups)
    if array.ndim != 1:
        raise ValueError(
            f"groups has shape {array.shape}; one group for each of the {X.shape[0]} rows is "
            "expected."
        )
    if len(array) != X.shape[0]:
        raise ValueError(
            f"groups and X have inconsistent numbers of samples: {len(array)} and {X.shape[0]}."
        )
    _check_can_be_told_apart("groups", array)
    return array


def as_labels(y: Any, name: str = "y") -> NDArray[Any]:
    """Labels as an array of their own type.

    Raises
    ------
    ValueError
        If some are missing, or are nothing that can be told apart and sorted.
    """
    if y is None:
        raise ValueError(f"{name} is None: labels are needed for every row.")
    array = _as_array(name, y.toarray() if issparse(y) else y)
    if array.ndim == 0:
        raise ValueError(
            f"{name} is {shortened(y)}: pass an array or a list with a label for every row."
        )
    _check_can_be_told_apart(name, array)
    return array


def check_classes(classes: Any) -> NDArray[Any]:
    """Check the labels that will ever come, and sort them.

    Raises
    ------
    ValueError
        If they are no labels, or fewer than two.
    """
    labels = as_labels(classes, "classes")
    if labels.ndim != 1 or len(np.unique(labels)) < 2:
        raise ValueError(
            f"classes={shortened(classes)} is not allowed: pass a list of all labels that will "
            "ever come, two or more."
        )
    return np.unique(labels)


def _as_array(name: str, values: Any) -> NDArray[Any]:
    """An array of a type of NumPy's, where values can be one, and with none that is masked."""
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} has masked values, which would count as what is under the mask. Leave these "
            "rows out."
        )
    try:
        return values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} is {shortened(values)}, which is no array of one value a row ({error})."
        ) from error


def _check_can_be_told_apart(name: str, values: NDArray[Any]) -> None:
    """Check that there are no missing values, and no kinds that cannot be sorted together."""
    if values.dtype.kind in "cV":
        raise ValueError(
            f"{name} has the type {values.dtype}, which is none of labels. Pass strings or numbers."
        )
    if values.dtype.kind in "Mm":
        missing = np.isnat(values)
    elif values.dtype.kind == "O":
        missing = np.array([_is_missing(value) for value in values.ravel()], dtype=bool)
    else:
        missing = values != values  # NaN
    if missing.any():
        raise ValueError(
            f"{name} contains NaN, None or NA: {int(missing.sum())} values are missing. Leave "
            "these rows out, or give them a label of their own."
        )
    if values.dtype.kind != "O":
        return
    try:
        np.unique(values)
        set(values.ravel().tolist())
    except (TypeError, ValueError) as error:
        kinds = sorted({type(value).__name__ for value in values.ravel()})
        raise ValueError(
            f"{name} has values of the types {kinds}, which cannot be told apart and sorted as "
            "labels. Make them all strings, or all numbers."
        ) from error


def _is_missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value)
    except TypeError:  # NA, which is neither true nor false
        return True
    except ValueError:  # an array
        return False


def shortened(value: Any) -> str:
    """What was passed, in few words: for errors."""
    words = repr(value)
    return words if len(words) <= 200 else f"{words[:200]}..."


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
        return np.ones(X.shape[0])
    weights = as_numbers(sample_weight)
    if weights is None:
        raise ValueError(
            f"{name} must be numbers, one for each of the {X.shape[0]} rows, and none missing; got "
            f"{shortened(sample_weight)}."
        )
    if weights.ndim == 0:
        weights = np.full(X.shape[0], weights)
    if weights.ndim == 1 and len(weights) != X.shape[0]:
        raise ValueError(
            f"{name} and X have inconsistent numbers of samples: {len(weights)} and {X.shape[0]}."
        )
    weights = check_array(weights, ensure_2d=False, allow_nd=True, input_name=name)
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar: {name} has shape {weights.shape}, and "
            f"one weight for each of the {X.shape[0]} rows is expected."
        )
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
    if not 1 / _LARGEST_WEIGHT <= weights.max() <= _LARGEST_WEIGHT:
        raise ValueError(
            f"{name} has {weights.max():g} as its largest value: a sample weight says how many "
            "rows a row stands for, and sums of such numbers are lost to rounding. Scale them, "
            "for instance to the mean one."
        )
    return weights
