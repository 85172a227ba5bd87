"""From labels, class weights and sample weights to one weight per class and one per row.

Class labels arrive as codes 0 .. n_classes - 1. ``sample_weight`` says which population the
rows stand for: every count here is a count of that population. Class weights say how the
network is trained, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

_TRAP = (
    "A class weight is a positive, finite number. Formulas that weight the negatives by 1 - w hold "
    "only for 0 < w < 1; with a ratio such as w = 9 they give the negatives the weight -8. For "
    "positives that count nine times as much as negatives, pass pos_weight=9."
)


def _balanced(counts: Vector) -> Vector:
    return counts.sum() / (len(counts) * counts)


STRATEGIES: dict[str, Callable[[Vector], Vector]] = {"balanced": _balanced}
"""Class weights by name, from the classes' counts."""


def class_counts(y: NDArray[np.intp], n_classes: int, sample_weight: Vector) -> Vector:
    """Count the rows of every class in the sample-weighted population.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Class codes, 0 to ``n_classes - 1``.
    n_classes : int
        Number of classes.
    sample_weight : ndarray of shape (n_samples,)
        How many rows of the population each row stands for.

    Returns
    -------
    counts : ndarray of shape (n_classes,)

    Examples
    --------
    >>> import numpy as np
    >>> class_counts(np.array([0, 0, 1]), 2, np.array([1.0, 2.0, 0.5]))
    array([3. , 0.5])
    """
    return np.bincount(y, weights=sample_weight, minlength=n_classes).astype(np.float64)


def class_weight_vector(
    counts: Vector,
    classes: Sequence[Hashable],
    *,
    class_weight: Mapping[Any, float] | str | None = None,
    pos_weight: float | str | None = None,
    alpha: float | None = None,
    positive: int | None = None,
) -> Vector:
    """Turn the one way in which class weights were given into a weight for every class.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,)
        Population count of every class (:func:`class_counts`).
    classes : sequence of length n_classes
        The labels, in the order of their codes.
    class_weight : dict, "balanced" or None
        Weight by label, or ``n / (n_classes * n_k)`` for a class with ``n_k`` of the ``n`` rows.
    pos_weight : float, "balanced" or None
        Weight of a positive row in units of a negative row's.
    alpha : float or None
        Share of the positives' weight in the sum of both, as in the focal loss: the ratio is
        ``alpha / (1 - alpha)``.
    positive : int or None
        Code of the positive class; None when there are more than two classes.

    Returns
    -------
    weights : ndarray of shape (n_classes,)
        Normalised so that the mean over the population is one: a search over ``pos_weight``
        does not silently search over the learning rate.

    Raises
    ------
    ValueError
        If two ways are used at once, or a value is not one that they allow.

    Examples
    --------
    >>> import numpy as np
    >>> class_weight_vector(np.array([90.0, 10.0]), [0, 1], pos_weight=9, positive=1)
    array([0.55555556, 5.        ])
    >>> class_weight_vector(np.array([90.0, 10.0]), [0, 1], class_weight="balanced")
    array([0.55555556, 5.        ])
    """
    given = {"class_weight": class_weight, "pos_weight": pos_weight, "alpha": alpha}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        said = ", ".join(f"{name}={given[name]!r}" for name in named)
        raise ValueError(
            f"{said}: class_weight, pos_weight and alpha are three ways to say one thing. "
            f"Keep one and drop {' and '.join(named[1:])}."
        )
    if positive is None and (pos_weight is not None or alpha is not None):
        raise ValueError(
            f"{named[0]}={given[named[0]]!r} weighs one positive class against one negative class, "
            f"but y has {len(classes)} classes. Pass class_weight, a weight for every label."
        )

    if class_weight is not None:
        weights = _from_class_weight(class_weight, counts, classes)
    elif pos_weight is not None:
        weights = _from_pos_weight(pos_weight, counts, positive)
    elif alpha is not None:
        weights = _two(_checked_alpha(alpha), 1.0 - alpha, positive)
    else:
        weights = np.ones(len(counts))
    return weights * (counts.sum() / (weights @ counts))


def needs_all_rows(class_weight: object, pos_weight: object) -> str | None:
    """Say which of the two is a strategy, computed from all training rows; None if neither is."""
    for name, value in (("class_weight", class_weight), ("pos_weight", pos_weight)):
        if isinstance(value, str):
            return f"{name}={value!r}"
    return None


def favours_majority(weights: Vector, counts: Vector) -> bool:
    """Whether the most frequent class weighs more than the rarest, which is rarely meant."""
    most, least = int(np.argmax(counts)), int(np.argmin(counts))
    return bool(counts[most] > counts[least] and weights[most] > weights[least])


def row_weights(y: NDArray[np.intp], class_weights: Vector, sample_weight: Vector) -> Vector:
    """Weight of every training row: its sample weight times its class's weight, mean one.

    Examples
    --------
    >>> import numpy as np
    >>> row_weights(np.array([0, 0, 1]), np.array([1.0, 4.0]), np.ones(3))
    array([0.5, 0.5, 2. ])
    """
    weights = sample_weight * class_weights[y]
    return weights / weights.mean()


def _from_class_weight(
    class_weight: Mapping[Any, float] | str, counts: Vector, classes: Sequence[Hashable]
) -> Vector:
    if isinstance(class_weight, str):
        return _by_strategy("class_weight", class_weight, counts, "a dict {label: weight}")
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"class_weight={class_weight!r} is not allowed. Pass a dict {{label: weight}}, "
            f"one of {sorted(STRATEGIES)}, or None."
        )
    unknown = [label for label in class_weight if label not in list(classes)]
    missing = [label for label in classes if label not in class_weight]
    if unknown or missing:
        parts = []
        if unknown:
            parts.append(f"names labels that y does not have: {unknown}")
        if missing:
            parts.append(f"gives no weight to: {missing}")
        raise ValueError(
            f"class_weight {' and '.join(parts)}. The labels in y are {list(classes)}; "
            "every one of them needs a weight."
        )
    return np.array(
        [_positive(f"class_weight[{k!r}]", class_weight[k]) for k in classes], dtype=np.float64
    )


def _from_pos_weight(pos_weight: float | str, counts: Vector, positive: int | None) -> Vector:
    if isinstance(pos_weight, str):
        return _by_strategy("pos_weight", pos_weight, counts, "a number")
    return _two(_positive("pos_weight", pos_weight), 1.0, positive)


def _by_strategy(name: str, strategy: str, counts: Vector, otherwise: str) -> Vector:
    if strategy not in STRATEGIES:
        near = get_close_matches(strategy, STRATEGIES, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{name}={strategy!r} is not a strategy.{hint} "
            f"Known: {sorted(STRATEGIES)}, or {otherwise}."
        )
    return STRATEGIES[strategy](counts)


def _positive(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # what float() refuses is the error below
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, str | bool) or not (math.isfinite(number) and number > 0):
        raise ValueError(f"{name}={value!r} is not allowed. {_TRAP}")
    return number


def _checked_alpha(alpha: float) -> float:
    if not isinstance(alpha, int | float | np.number) or not 0 < alpha < 1:
        raise ValueError(
            f"alpha={alpha!r} is not allowed: alpha is the positives' share of the weight, "
            "0 < alpha < 1. For a ratio of positive to negative weight, pass pos_weight."
        )
    return float(alpha)


def _two(positive_weight: float, negative_weight: float, positive: int | None) -> Vector:
    weights = np.full(2, negative_weight)
    weights[positive] = positive_weight
    return weights
