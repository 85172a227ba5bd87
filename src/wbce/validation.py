"""Which rows judge: they stop the training and choose the threshold, and are never trained on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
)

Indices = NDArray[np.intp]
Split = tuple[Indices, Indices]

MIN_ROWS_PER_CLASS = 5
"""Fewer validation rows of a class than this say next to nothing about it."""

FEW_ROWS = 30
"""With fewer validation rows of a class, a threshold is better chosen out of fold."""

_SHARE_OF_LAST = 0.1


def check_validation_split(validation_split: Any) -> Any:
    """Check ``validation_split``.

    Returns
    -------
    float, ("last", float) or splitter
        None is 0.0, and ``"last"`` has its share.

    Raises
    ------
    ValueError
        If it is none of these, or a fraction is out of range.
    """
    if validation_split is None:
        return 0.0
    if isinstance(validation_split, str) and validation_split == "last":
        return "last", _SHARE_OF_LAST
    if _is_number(validation_split) and 0 <= validation_split < 1:
        return float(validation_split)
    if isinstance(validation_split, tuple) and len(validation_split) == 2:
        how, share = validation_split
        if isinstance(how, str) and how == "last" and _is_number(share) and 0 < share < 1:
            return "last", float(share)
    if _is_splitter(validation_split):
        return validation_split
    raise ValueError(
        f"validation_split={validation_split!r} is not allowed: pass the fraction of the rows "
        "to hold back, 0 <= fraction < 1; 'last' or ('last', fraction) for the last rows; a "
        "scikit-learn splitter; or pass the rows themselves to fit as X_val and y_val."
    )


def check_threshold_cv(threshold_cv: Any) -> Any:
    """Check ``threshold_cv``.

    Returns
    -------
    None, False, int, splitter or list of (train, test)

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if threshold_cv is None or threshold_cv is False or _is_splitter(threshold_cv):
        return threshold_cv
    whole = isinstance(threshold_cv, int | np.integer) and not isinstance(threshold_cv, bool)
    if whole and threshold_cv >= 2:
        return int(threshold_cv)
    listed = list(threshold_cv) if isinstance(threshold_cv, list | tuple) else []
    if listed and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in listed):
        return listed
    raise ValueError(
        f"threshold_cv={threshold_cv!r} is not allowed: pass the number of folds, 2 or more; a "
        "scikit-learn splitter; a list of (train, test) row numbers; False for the validation "
        "rows; or None, which takes those where they are enough."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _is_splitter(value: Any) -> bool:
    return hasattr(value, "split") and hasattr(value, "get_n_splits")


# ---------------------------------------------------------------------- rows held back


def hold_out(
    validation_split: Any, X: Any, codes: Any, n_classes: int, groups: Any, seed: int
) -> Split:
    """Hold back the rows that judge.

    Parameters
    ----------
    validation_split : float, ("last", float) or splitter
        As :func:`check_validation_split` returns it. A fraction is stratified, by class or label,
        or, with groups, whole groups. Of a splitter's splits it is the one that trains on most
        rows, the first of equals: of time series the last.
    X : ndarray of shape (n_samples, ...)
    codes : ndarray of shape (n_samples,) or (n_samples, n_labels), or None
        Class codes, or zeros and ones.
    n_classes : int
    groups : ndarray of shape (n_samples,), or None
        Rows of one group stay together.
    seed : int

    Returns
    -------
    train, held : ndarray
        Row numbers, ascending.
    """
    n = len(X)
    if isinstance(validation_split, float):
        if validation_split == 0:
            return np.arange(n), np.arange(0)
        if groups is not None:
            n_splits = min(max(2, round(1 / validation_split)), len(np.unique(groups)))
            return _first_of_largest(_folds_of(n_splits, X, codes, groups, seed))
        if codes is None or codes.ndim == 1:
            codes = np.zeros(n, dtype=np.intp) if codes is None else codes
            return stratified_split(codes, n_classes, validation_split, seed)
        parts = label_parts(codes, [1 - validation_split, validation_split], seed)
        return np.flatnonzero(parts == 0), np.flatnonzero(parts == 1)
    if isinstance(validation_split, tuple):
        n_held = math.floor(n * validation_split[1] + 0.5)
        return np.arange(n - n_held), np.arange(n - n_held, n)
    return _first_of_largest(_checked(validation_split.split(X, codes, groups), n))


def enough_rows(codes: Any, n_classes: int, split: Split) -> bool:
    """Whether every class has ``MIN_ROWS_PER_CLASS`` rows on both sides of a split."""
    sides = [rows_of_rarest(codes, n_classes, side) for side in split]
    return min(sides) >= MIN_ROWS_PER_CLASS


def rows_of_rarest(codes: Any, n_classes: int, rows: Indices) -> int:
    """How many of some rows are of the class that has fewest of them.

    Of labels, that is the fewest rows with, or without, any of them.
    """
    if codes is None:
        return len(rows)
    if codes.ndim == 1:
        return int(np.bincount(codes[rows], minlength=n_classes).min())
    ones = codes[rows].sum(axis=0)
    return int(np.minimum(ones, len(rows) - ones).min())


def validation_counts(counts: NDArray[np.intp], fraction: float) -> NDArray[np.intp]:
    """How many rows of each class judge: the fraction, rounded to the nearest."""
    return np.floor(np.asarray(counts) * fraction + 0.5).astype(np.intp)


def too_few_rows_message(
    why: str, validation_split: Any, counts: NDArray[np.intp], held: NDArray[np.intp], names: Any
) -> str:
    """Say how many rows there are, how many are needed, and what to do instead.

    Parameters
    ----------
    why : str
        What needs them.
    validation_split : float, ("last", float) or splitter
    counts, held : ndarray of shape (n_classes,)
        Rows of each class, and those of them that were held back.
    names : list
        The classes.
    """
    rarest = int(np.lexsort((counts, np.minimum(held, counts - held)))[0])
    n = int(counts[rarest])
    message = (
        f"{why} needs validation rows, at least {MIN_ROWS_PER_CLASS} of every class, and as many "
        f"to train on: validation_split={validation_split!r} gives {int(held[rarest])} of the {n} "
        f"rows of class {names[rarest]!r}. "
    )
    if n >= 2 * MIN_ROWS_PER_CLASS and isinstance(validation_split, float):
        enough = math.ceil(1000 * (MIN_ROWS_PER_CLASS - 0.5) / n) / 1000
        message += f"Pass validation_split={enough:g} or more (at most 0.5), or pass "
    else:
        message += "Pass "
    elsewhere = "; or choose it out of fold, threshold_cv=5" if why.startswith("threshold") else ""
    return f"{message}labelled rows to fit as X_val and y_val{elsewhere}."


def stratified_split(y: NDArray[np.intp], n_classes: int, fraction: float, seed: int) -> Split:
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


def label_parts(y: NDArray[np.intp], shares: list[float], seed: int) -> Indices:
    """Divide rows with several labels, each label in proportion, the rarest first.

    The idea of Sechidis et al. 2011: a rare label's rows are placed while there is still choice.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels)
        Zeros and ones.
    shares : list of float
        Of the parts; they sum to one.
    seed : int

    Returns
    -------
    part : ndarray of shape (n_samples,)

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[1, 0]] * 10 + [[0, 1]] * 4 + [[1, 1]] * 2)
    >>> parts = label_parts(y, [0.5, 0.5], seed=0)
    >>> [y[parts == part].sum(axis=0).tolist() for part in (0, 1)]
    [[6, 3], [6, 3]]
    """
    rng = np.random.RandomState(seed)
    part = np.full(len(y), -1)
    everywhere = np.ones((len(y), 1), dtype=bool)
    columns = [column == 1 for column in y.T[np.argsort(y.sum(axis=0), kind="stable")]]
    for column in [*columns, everywhere[:, 0]]:
        waiting = rng.permutation(np.flatnonzero(column & (part < 0)))
        there = np.bincount(part[column & (part >= 0)], minlength=len(shares))
        missing = np.maximum(np.asarray(shares) * column.sum() - there, 0)
        total = missing.sum()
        ends = np.cumsum(missing) * (len(waiting) / total if total else 0)
        # row number r of those that wait goes to the part in whose stretch r + 1/2 lies
        places = np.searchsorted(ends, np.arange(len(waiting)) + 0.5)
        part[waiting] = np.minimum(places, len(shares) - 1)
    return part


# ---------------------------------------------------------------------- out of fold


def folds(cv: Any, X: Any, codes: Any, n_classes: int, groups: Any, seed: int) -> list[Split]:
    """Splits for out-of-fold predictions.

    Parameters
    ----------
    cv : int, splitter or list of (train, test)
        As :func:`check_threshold_cv` returns it. A number of folds is stratified, by class or
        label, keeps groups together and is shuffled by `seed`.
    X, codes, n_classes, groups, seed
        As in :func:`hold_out`.

    Raises
    ------
    ValueError
        If a split trains on rows that it judges, or lacks a class in training.
    """
    if isinstance(cv, int):
        splits = _folds_of(cv, X, codes, groups, seed)
    else:
        pairs = cv if isinstance(cv, list) else cv.split(X, codes, groups)
        splits = _checked(pairs, len(X))
    for number, (train, _) in enumerate(splits):
        if rows_of_rarest(codes, n_classes, train) == 0:
            raise ValueError(
                f"threshold_cv={cv!r}: split {number} has no row of some class to train on. Pass "
                "fewer folds, or a stratified splitter."
            )
    return splits


def _folds_of(n: int, X: Any, codes: Any, groups: Any, seed: int) -> list[Split]:
    one_label = codes is not None and codes.ndim == 1
    if groups is not None and len(np.unique(groups)) < n:
        raise ValueError(
            f"There are {len(np.unique(groups))} groups, and {n} folds or more are needed to keep "
            "each group's rows together: pass fewer folds, or more groups."
        )
    rarest = rows_of_rarest(codes, int(codes.max()) + 1, np.arange(len(X))) if one_label else n
    if rarest < n:
        raise ValueError(
            f"{n} folds need {n} rows of every class or more, and there are {rarest} of the "
            "rarest: pass fewer folds."
        )
    if codes is not None and not one_label and groups is None:
        parts = label_parts(codes, [1 / n] * n, seed)
        return [(np.flatnonzero(parts != k), np.flatnonzero(parts == k)) for k in range(n)]
    if one_label:
        splitter = (
            StratifiedKFold(n, shuffle=True, random_state=seed)
            if groups is None
            else StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        )
    else:
        splitter = KFold(n, shuffle=True, random_state=seed) if groups is None else GroupKFold(n)
    return list(splitter.split(np.zeros(len(X)), codes, groups))


def _checked(pairs: Any, n: int) -> list[Split]:
    splits = [(_numbers(train), _numbers(held)) for train, held in pairs]
    for number, (train, held) in enumerate(splits):
        both = np.intersect1d(train, held)
        if len(both):
            raise ValueError(
                f"Split {number} has rows to train on and to judge by at once: {both[:5].tolist()}"
                f"{', ...' if len(both) > 5 else ''}."
            )
        if not (len(train) and len(held)) or max(train.max(), held.max()) >= n:
            raise ValueError(
                f"Split {number} has no rows on one side, or numbers beyond the {n} rows."
            )
    return splits


def _numbers(rows: Any) -> Indices:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def _first_of_largest(splits: list[Split]) -> Split:
    return max(splits, key=lambda split: len(split[0]))
