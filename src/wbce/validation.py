"""Which rows judge: they stop the training and choose the threshold, and are never trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]

MIN_ROWS_PER_CLASS = 5
"""Fewer validation rows of a class than this say next to nothing about it."""


def check_fraction(validation_split: Any) -> float:
    """Check ``validation_split``: a fraction of the rows, 0 (or None) for none.

    Raises
    ------
    ValueError
        If it is not a number in [0, 1).
    """
    if validation_split is None:
        return 0.0
    if (
        isinstance(validation_split, bool)
        or not isinstance(validation_split, int | float | np.number)
        or not 0 <= validation_split < 1
    ):
        raise ValueError(
            f"validation_split={validation_split!r} is not allowed: pass the fraction of the rows "
            "to hold back, 0 <= fraction < 1, or pass the rows themselves to fit as X_val and "
            "y_val."
        )
    return float(validation_split)


def validation_counts(counts: NDArray[np.intp], fraction: float) -> NDArray[np.intp]:
    """How many rows of each class judge: the fraction, rounded to the nearest."""
    return np.floor(np.asarray(counts) * fraction + 0.5).astype(np.intp)


def enough_rows(counts: NDArray[np.intp], fraction: float) -> bool:
    """Whether every class can give ``MIN_ROWS_PER_CLASS`` rows and keep as many for training."""
    held = validation_counts(counts, fraction)
    return bool(held.min() >= MIN_ROWS_PER_CLASS and (counts - held).min() >= MIN_ROWS_PER_CLASS)


def too_few_rows_message(
    why: str, counts: NDArray[np.intp], classes: list[Any], fraction: float
) -> str:
    """Say how many rows there are, how many are needed, and what to do instead."""
    rarest = int(np.argmin(counts))
    n, held = int(counts[rarest]), int(validation_counts(counts, fraction)[rarest])
    message = (
        f"{why} needs validation rows, at least {MIN_ROWS_PER_CLASS} of every class, and as many "
        f"to train on: validation_split={fraction:g} gives {held} of the {n} rows of class "
        f"{classes[rarest]!r}. "
    )
    if n >= 2 * MIN_ROWS_PER_CLASS:
        enough = math.ceil(1000 * (MIN_ROWS_PER_CLASS - 0.5) / n) / 1000
        return (
            f"{message}Pass validation_split={enough:g} or more (at most 0.5), or pass labelled "
            "rows to fit as X_val and y_val."
        )
    return f"{message}Pass labelled rows to fit as X_val and y_val."


def stratified_split(
    y: NDArray[np.intp], n_classes: int, fraction: float, seed: int
) -> tuple[Indices, Indices]:
    """Split rows at random, every class in proportion.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class codes.
    n_classes : int
        Number of classes.
    fraction : float
        Share of every class that judges.
    seed : int
        Seed of the shuffle.

    Returns
    -------
    train, validation : ndarray
        Row numbers, ascending.

    Examples
    --------
    >>> import numpy as np
    >>> train, validation = stratified_split(np.array([0] * 90 + [1] * 10), 2, 0.2, seed=0)
    >>> len(train), len(validation), int((validation >= 90).sum())
    (80, 20, 2)
    """
    rng = np.random.RandomState(seed)
    held = validation_counts(np.bincount(y, minlength=n_classes), fraction)
    judges = np.zeros(len(y), dtype=bool)
    for code in range(n_classes):
        judges[rng.permutation(np.flatnonzero(y == code))[: held[code]]] = True
    return np.flatnonzero(~judges), np.flatnonzero(judges)
