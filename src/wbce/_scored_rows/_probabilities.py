"""Probabilities that were passed: checked, and as finite log-odds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from wbce._numbers import as_numbers, is_number
from wbce._rows import shortened
from wbce.decisions import FAR

Float64 = NDArray[np.float64]


def check_threshold(threshold: Any) -> None:
    """Check that it is a probability, or None.

    Raises
    ------
    ValueError
    """
    if threshold is not None and not (is_number(threshold) and 0 <= threshold <= 1):
        raise ValueError(f"threshold={threshold!r} is not allowed: pass a probability, 0 to 1.")


def checked_proba(name: str, proba: Any, n: int) -> Float64:
    """Check probabilities of a class, one a row.

    Raises
    ------
    ValueError
        If they are none.
    """
    numbers = as_numbers(proba)
    if numbers is None or numbers.ndim != 1 or len(numbers) != n:
        shape = "no numbers" if numbers is None else f"the shape {numbers.shape}"
        raise ValueError(
            f"{name} has {shape}: pass the positive class's probability of each of the {n} rows, "
            "such as predict_proba(X)[:, 1]."
        )
    if not ((numbers >= 0) & (numbers <= 1)).all():
        raise ValueError(
            f"{name} has values from {numbers.min():.4g} to {numbers.max():.4g}: probabilities lie "
            "between 0 and 1, and none is missing."
        )
    return numbers


def positive_of(classes: NDArray[Any], y: NDArray[Any], weight: Float64, pos_label: Any) -> Any:
    """Which of two labels is the positive one.

    Raises
    ------
    ValueError
        If there are not two, or `pos_label` is none of them.
    """
    known = classes.tolist()
    if len(known) != 2:
        raise ValueError(
            f"y_true has the labels {shortened(known)}: two classes are expected. Of more, compare "
            "one with the rest: y_true == label."
        )
    if pos_label is not None and pos_label not in known:
        raise ValueError(f"pos_label={pos_label!r} is not one of the labels {known}.")
    if pos_label is not None:
        return pos_label
    if known in ([0, 1], [-1, 1]):  # booleans too
        return known[1]
    first = weight[y == classes[0]].sum()
    return known[0] if first < weight.sum() - first else known[1]


def finite_logit(proba: ArrayLike) -> Float64:
    """Log-odds of probabilities, those of zero and one too."""
    with np.errstate(divide="ignore"):
        return finite(logit(np.asarray(proba, dtype=np.float64)))


def finite(scores: Float64) -> Float64:
    """Within what curves take: a probability of exactly zero or one is one beyond all others."""
    return np.clip(scores, -FAR / 2, FAR / 2)
