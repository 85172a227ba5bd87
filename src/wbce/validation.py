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

from wbce._numbers import is_number, is_whole

Indices = NDArray[np.intp]
Split = tuple[Indices, Indices]


class CannotSplitError(ValueError):
    """There are too few groups, or rows of a class, to divide."""


MIN_ROWS_PER_CLASS = 5
"""Fewer validation rows of a class than this say next to nothing about it."""

N_FOLDS = 5
"""Folds, where they are chosen and not asked for."""

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
    if is_number(validation_split) and 0 <= validation_split < 1:
        return float(validation_split)
    if isinstance(validation_split, tuple | list) and len(validation_split) == 2:
        how, share = validation_split
        if isinstance(how, str) and how == "last" and is_number(share) and 0 < share < 1:
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
    if is_whole(threshold_cv) and threshold_cv >= 2:
        return int(threshold_cv)
    listed = list(threshold_cv) if isinstance(threshold_cv, list | tuple) else []
    if listed and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in listed):
        return listed
    raise ValueError(
        f"threshold_cv={threshold_cv!r} is not allowed: pass the number of folds, 2 or more; a "
        "scikit-learn splitter; a list of (train, test) row numbers; False for the validation "
        "rows; or None, which takes those where they are enough."
    )


def _is_splitter(value: Any) -> bool:
    return hasattr(value, "get_n_splits") and not isinstance(value, type)


# ---------------------------------------------------------------------- rows held back


def hold_out(
    validation_split: Any,
    X: Any,
    codes: Any,
    n_classes: int,
    groups: Any,
    seed: int,
    everything: Any = None,
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
    everything : Everything, optional
        All rows that the user passed, which splitters see, where these are not all.

    Returns
    -------
    train, held : ndarray
        Row numbers, ascending.

    Raises
    ------
    ValueError
        If a splitter's rows will not do, or a group would be on both sides.
    """
    n = X.shape[0]
    if isinstance(validation_split, tuple):
        n_held = math.floor(n * validation_split[1] + 0.5)
        split = np.arange(n - n_held), np.arange(n - n_held, n)
    elif not isinstance(validation_split, float):
        splits = _splits_of(validation_split, X, codes, groups, everything)
        split = max(splits, key=lambda split: len(split[0]))
    elif validation_split == 0:
        split = np.arange(n), np.arange(0)
    elif groups is not None:
        split = _grouped_split(groups, _indicators(codes, n_classes, n), validation_split, seed)
    elif codes is None or codes.ndim == 1:
        codes = np.zeros(n, dtype=np.intp) if codes is None else codes
        split = stratified_split(codes, n_classes, validation_split, seed)
    else:
        parts = label_parts(codes, [1 - validation_split, validation_split], seed)
        split = np.flatnonzero(parts == 0), np.flatnonzero(parts == 1)
    _check_groups_are_whole(groups, split, f"validation_split={validation_split!r}")
    return split


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
    return int(np.minimum(ones, len(rows) - ones).min(initial=len(rows)))


def validation_counts(counts: NDArray[np.intp], fraction: float) -> NDArray[np.intp]:
    """How many rows of each class judge: the fraction, rounded to the nearest."""
    return np.floor(np.asarray(counts) * fraction + 0.5).astype(np.intp)


def too_few_rows_message(
    why: str,
    validation_split: Any,
    counts: NDArray[np.intp],
    held: NDArray[np.intp],
    names: Any,
    in_memory: bool = True,
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
    in_memory : bool, default=True
        Whether the rows could be divided into folds.
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
    foldable = in_memory and why.startswith("threshold")
    elsewhere = "; or choose it out of fold, threshold_cv=5" if foldable else ""
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


def folds(
    cv: Any, X: Any, codes: Any, n_classes: int, groups: Any, seed: int, everything: Any = None
) -> list[Split]:
    """Splits for out-of-fold predictions.

    Parameters
    ----------
    cv : int, splitter or list of (train, test)
        As :func:`check_threshold_cv` returns it. A number of folds is stratified, by class or
        label, keeps groups together and is shuffled by `seed`.
    X, codes, n_classes, groups, seed, everything
        As in :func:`hold_out`.

    Raises
    ------
    ValueError
        If a split trains on rows that it judges, or lacks a class in training; if a row is judged
        twice; if a group is on both sides.
    """
    if isinstance(cv, int):
        splits = _folds_of(cv, X, codes, groups, seed)
    else:
        splits = _splits_of(cv, X, codes, groups, everything)
    for number, (train, held) in enumerate(splits):
        if rows_of_rarest(codes, n_classes, train) == 0:
            raise ValueError(
                f"Out of fold, split {number} has no row of some class to train on. Pass "
                "threshold_cv=False, fewer folds, or a splitter (and groups, if any) that leaves "
                "every class in training."
            )
        _check_groups_are_whole(groups, (train, held), f"threshold_cv={cv!r}")
    judged = np.concatenate([held for _, held in splits])
    if len(np.unique(judged)) < len(judged):
        raise ValueError(
            f"threshold_cv={cv!r} judges some rows more than once, which would count them twice. "
            "Pass a splitter whose test rows do not overlap, such as StratifiedKFold."
        )
    return splits


def _folds_of(n: int, X: Any, codes: Any, groups: Any, seed: int) -> list[Split]:
    one_label = codes is not None and codes.ndim == 1
    if groups is not None:  # of any kind, to splitters numbers
        groups = np.unique(groups, return_inverse=True)[1]
    n_groups = n if groups is None else len(np.unique(groups))
    if n > X.shape[0]:
        raise CannotSplitError(
            f"{n} folds are more than the {X.shape[0]} rows: pass a smaller threshold_cv."
        )
    if n_groups < n:
        raise CannotSplitError(
            f"There are {n_groups} groups, and {n} folds need as many to keep each group's rows "
            "together: pass a smaller threshold_cv, or more groups."
        )
    rarest = rows_of_rarest(codes, int(codes.max()) + 1, np.arange(X.shape[0])) if one_label else n
    if rarest < n:
        raise CannotSplitError(
            f"{n} folds need {n} rows of every class or more, and there are {rarest} of the "
            "rarest: pass a smaller threshold_cv."
        )
    if codes is not None and not one_label and groups is None:
        parts = label_parts(codes, [1 / n] * n, seed)
        if len(np.unique(parts)) < n:
            raise CannotSplitError(
                f"{n} folds of {X.shape[0]} rows leave some without a row: pass a smaller "
                "threshold_cv."
            )
        return [(np.flatnonzero(parts != k), np.flatnonzero(parts == k)) for k in range(n)]
    if one_label:
        splitter = (
            StratifiedKFold(n, shuffle=True, random_state=seed)
            if groups is None
            else StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        )
    else:
        splitter = KFold(n, shuffle=True, random_state=seed) if groups is None else GroupKFold(n)
    return list(splitter.split(np.zeros(X.shape[0]), codes, groups))


# ---------------------------------------------------------------------- groups and splitters


def _grouped_split(
    groups: NDArray[Any], indicators: NDArray[np.float64], fraction: float, seed: int
) -> Split:
    """Hold back whole groups: of a hundred random choices, the one nearest to the fraction.

    Nearest in the number of rows and in those of every class.
    """
    names, of_row = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise CannotSplitError(
            f"All rows are of one group, {names.tolist()[0]!r}: there is none to hold back. Pass "
            "X_val and y_val, or other groups."
        )
    counts = np.zeros((len(names), indicators.shape[1]))
    np.add.at(counts, of_row, indicators)
    totals = np.maximum(counts.sum(axis=0), 1)
    rng = np.random.RandomState(seed)
    best, smallest = np.arange(1), np.inf
    for _ in range(100):
        order = rng.permutation(len(names))
        shares = np.cumsum(counts[order[:-1]], axis=0) / totals
        off = np.abs(shares - fraction).sum(axis=1)
        n_held = int(np.argmin(off)) + 1
        if off[n_held - 1] < smallest:
            best, smallest = order[:n_held], off[n_held - 1]
    held = np.isin(of_row, best)
    return np.flatnonzero(~held), np.flatnonzero(held)


def _indicators(codes: Any, n_classes: int, n: int) -> NDArray[np.float64]:
    """Ones for every row, and for every class or label that it has."""
    rows = np.ones((n, 1))
    if codes is None:
        return rows
    return np.hstack([rows, np.eye(n_classes)[codes] if codes.ndim == 1 else codes])


def _check_groups_are_whole(groups: Any, split: Split, what: str) -> None:
    if groups is None:
        return
    both = np.intersect1d(groups[split[0]], groups[split[1]])
    if len(both):
        raise ValueError(
            f"{what} puts rows of {len(both)} groups, such as {both.tolist()[0]!r}, on both sides: "
            "they would be trained on and judged by. Pass a splitter that keeps groups together, "
            "such as GroupKFold, or leave groups out."
        )


def _splits_of(cv: Any, X: Any, codes: Any, groups: Any, everything: Any) -> list[Split]:
    """The splits of a user's splitter or list, in numbers of the rows that there are."""
    n = X.shape[0] if everything is None else len(everything.kept)
    if isinstance(cv, list):
        pairs = cv
    elif everything is None:
        pairs = cv.split(X, codes, groups)
    else:
        pairs = cv.split(np.zeros(n), everything.y, everything.groups)
    splits = [(_row_numbers(train, n), _row_numbers(held, n)) for train, held in pairs]
    for number, (train, held) in enumerate(splits):
        both = np.intersect1d(train, held)
        if len(both):
            raise ValueError(
                f"Split {number} has rows to train on and to judge by at once: {both[:5].tolist()}"
                f"{', ...' if len(both) > 5 else ''}."
            )
    if everything is not None:
        kept, place = everything.kept, np.cumsum(everything.kept) - 1
        splits = [(place[a[kept[a]]], place[b[kept[b]]]) for a, b in splits]
    for number, sides in enumerate(splits):
        if not all(map(len, sides)):
            raise ValueError(f"Split {number} has no rows with any weight on one side.")
    return splits


def _row_numbers(rows: Any, n: int) -> Indices:
    rows = np.asarray(rows)
    if rows.dtype == bool and len(rows) == n:
        return np.flatnonzero(rows)
    if rows.size and (rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n):
        raise ValueError(
            f"A split is of row numbers from 0 to {n - 1}, or of a mask of {n} rows; got "
            f"{rows[:5].tolist()}{', ...' if len(rows) > 5 else ''}."
        )
    return rows.astype(np.intp)
