"""From labels, class weights and sample weights to one weight per class and one per row.

Class labels arrive as codes 0 .. n_classes - 1. ``sample_weight`` says which population the
rows stand for: every count here is a count of that population. Class weights say how the
network is trained, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wbce._numbers import as_numbers, is_number

Vector = NDArray[np.float64]

_TRAP = (
    "A class weight is a positive, finite number. Formulas that weight the negatives by 1 - w hold "
    "only for 0 < w < 1; with a ratio such as w = 9 they give the negatives the weight -8. For "
    "positives that count nine times as much as negatives, pass pos_weight=9."
)


def _balanced(counts: Vector) -> Vector:
    return counts.sum() / (len(counts) * counts)


def _sqrt(counts: Vector) -> Vector:
    return np.sqrt(_balanced(counts))


def _log(counts: Vector) -> Vector:
    return np.log1p(counts.sum() / counts)


def _effective(counts: Vector, beta: float | None = None) -> Vector:
    """(1 - beta) / (1 - beta**n_k), the inverse of the effective number (Cui et al. 2019)."""
    n = counts.sum()
    if beta is None:
        if n < 2:
            raise ValueError(
                f"'effective' counts rows, but the sample weights add up to {n:g}. Scale "
                "sample_weight so that it says how many rows each row stands for, or pass "
                "('effective', beta) with 0 <= beta < 1."
            )
        return -1 / (n * np.expm1(counts * np.log1p(-1 / n)))
    if beta == 0:
        return np.ones(len(counts))
    return -(1 - beta) / np.expm1(counts * np.log(beta))


STRATEGIES: dict[str, Callable[[Vector], Vector]] = {
    "balanced": _balanced,
    "sqrt": _sqrt,
    "log": _log,
    "effective": _effective,
}
"""Class weights by name, from the classes' counts."""

Strategy = str | tuple[str, float]

_SMALLEST_SHARE = 1e-30
"""Of the largest class weight; float32 ends at 1e-38."""


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
    class_weight: Mapping[Any, float] | Strategy | None = None,
    pos_weight: float | Strategy | None = None,
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
    class_weight : dict, strategy or None
        Weight by label, or for a class with ``n_k`` of the ``n`` rows: ``"balanced"``
        n / (n_classes * n_k), ``"sqrt"`` the square root of that, ``"log"`` log(1 + n / n_k),
        ``"effective"`` (1 - beta) / (1 - beta**n_k) with beta = (n - 1) / n, or with another as
        ``("effective", beta)``.
    pos_weight : float, strategy or None
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
    named = _the_one_way(class_weight=class_weight, pos_weight=pos_weight, alpha=alpha)
    if positive is None and (pos_weight is not None or alpha is not None):
        raise ValueError(
            f"{named} weighs one positive class against one negative class, "
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
    return _with_mean_one(weights, counts, named)


def _with_mean_one(weights: Vector, counts: Vector, named: str | None) -> Vector:
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        relative = weights / weights.max()
        weights = relative * (counts.sum() / (relative @ counts))
    if not (np.isfinite(weights).all() and relative.min() >= _SMALLEST_SHARE):
        raise ValueError(
            f"{named} with the counts {counts.tolist()} gives classes weights that are more than "
            f"{1 / _SMALLEST_SHARE:g} times others': the lighter rows would count nothing in "
            "float32. Pass weights that differ less."
        )
    return weights


def _the_one_way(**given: Any) -> str | None:
    """Say in which way weights were given; None for none of them."""
    said = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(said) > 1:
        dropped = [name for name, value in given.items() if value is not None][1:]
        raise ValueError(
            f"{', '.join(said)}: class_weight, pos_weight and alpha are three ways to say one "
            f"thing. Keep one and drop {' and '.join(dropped)}."
        )
    return said[0] if said else None


def label_counts(y: NDArray[np.intp], sample_weight: Vector) -> Vector:
    """Count the rows without and with every label in the sample-weighted population.

    Parameters
    ----------
    y : ndarray of shape (n_samples, n_labels)
        Zeros and ones.
    sample_weight : ndarray of shape (n_samples,)

    Returns
    -------
    counts : ndarray of shape (n_labels, 2)
    """
    positives = sample_weight @ y
    return np.column_stack([sample_weight.sum() - positives, positives])


def label_weight_pairs(
    counts: Vector,
    *,
    class_weight: Any = None,
    pos_weight: Any = None,
    alpha: Any = None,
) -> Vector:
    """Weights of the zeros and ones of every label, for labels that do not exclude each other.

    Parameters
    ----------
    counts : ndarray of shape (n_labels, 2)
        Population count of zeros and of ones (:func:`label_counts`).
    class_weight : dict, strategy, sequence of them or None
        ``{0: weight, 1: weight}`` or a strategy; one for all labels or one for each.
    pos_weight : float, strategy, sequence of them, dict or None
        Weight of a one in units of a zero's; one for all labels, one for each, or by the label's
        column number in a dict, where labels that are not named weigh one.
    alpha : float, sequence of float or None
        Share of the ones' weight; one for all labels or one for each.

    Returns
    -------
    weights : ndarray of shape (n_labels, 2)
        Every label's normalised so that the mean over the population is one.

    Raises
    ------
    ValueError
        As :func:`class_weight_vector`; if there is not one value a label; if a strategy meets a
        label that no row has, or every row.

    Examples
    --------
    >>> import numpy as np
    >>> label_weight_pairs(np.array([[90.0, 10.0], [50.0, 50.0]]), pos_weight=[9, 1])
    array([[0.55555556, 5.        ],
           [1.        , 1.        ]])
    """
    n_labels = len(counts)
    given: dict[str, Any] = {
        "class_weight": class_weight,
        "pos_weight": pos_weight,
        "alpha": alpha,
    }
    _the_one_way(**given)
    name = next((way for way in given if given[way] is not None), "alpha")
    value: Any = given[name]
    if name == "pos_weight" and isinstance(value, Mapping):
        unknown = [label for label in value if label not in range(n_labels)]
        if unknown:
            raise ValueError(
                f"pos_weight names labels that y does not have: {unknown}. Labels are the column "
                f"numbers 0 to {n_labels - 1}."
            )
        value = [value.get(label, 1.0) for label in range(n_labels)]
    each: list[Any] = [*value] if _is_one_a_label(value) else [value] * n_labels
    if len(each) != n_labels:
        raise ValueError(
            f"{name}={value!r} has {len(each)} values, but y has {n_labels} labels: pass one "
            "value for all of them, or one for each."
        )
    pairs = []
    for label, (pair, one) in enumerate(zip(counts, each, strict=True)):
        if is_strategy(one) and not pair.all():
            raise ValueError(
                f"{name}={one!r} is computed from rows with and without each label, but label "
                f"{label} has {pair[1]:g} rows with and {pair[0]:g} without it. Drop the column, "
                "or pass a number for it."
            )
        pairs.append(class_weight_vector(pair, [0, 1], **{name: one}, positive=1))
    return np.array(pairs)


def _is_one_a_label(value: Any) -> bool:
    return not isinstance(value, str | Mapping) and np.iterable(value) and not is_strategy(value)


def is_strategy(value: Any) -> bool:
    """Whether a weight is computed from the rows: a name, or a name and its parameter."""
    named = isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str)
    return isinstance(value, str) or (named and not isinstance(value[1], str))


def needs_all_rows(class_weight: Any, pos_weight: Any) -> str | None:
    """Say which of the two is a strategy, computed from all training rows; None if neither is."""
    for name, value in (("class_weight", class_weight), ("pos_weight", pos_weight)):
        each = value if _is_one_a_label(value) else [value]
        if any(is_strategy(one) for one in each):
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
    class_weight: Mapping[Any, float] | Strategy, counts: Vector, classes: Sequence[Hashable]
) -> Vector:
    if isinstance(class_weight, str | tuple):
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


def _from_pos_weight(pos_weight: float | Strategy, counts: Vector, positive: int | None) -> Vector:
    if isinstance(pos_weight, str | tuple):
        return _by_strategy("pos_weight", pos_weight, counts, "a number")
    return _two(_positive("pos_weight", pos_weight), 1.0, positive)


def _by_strategy(name: str, given: Strategy, counts: Vector, otherwise: str) -> Vector:
    strategy, *parameters = (given,) if isinstance(given, str) else given
    if strategy not in STRATEGIES:
        near = get_close_matches(str(strategy), STRATEGIES, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{name}={given!r} is not a strategy.{hint} "
            f"Known: {sorted(STRATEGIES)}, ('effective', beta), or {otherwise}."
        )
    if not parameters:
        return STRATEGIES[strategy](counts)
    beta = parameters[0]
    if strategy != "effective" or len(parameters) > 1 or not is_number(beta) or not 0 <= beta < 1:
        raise ValueError(
            f"{name}={given!r} is not allowed: only 'effective' takes a parameter, "
            "('effective', beta) with 0 <= beta < 1."
        )
    return _effective(counts, float(beta))


def _positive(name: str, value: object) -> float:
    number = None if isinstance(value, bool | np.bool_) else as_numbers(value)
    if number is None or number.shape or not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name}={value!r} is not allowed. {_TRAP}")
    return float(number)


def _checked_alpha(alpha: float) -> float:
    if not is_number(alpha) or not 0 < alpha < 1:
        raise ValueError(
            f"alpha={alpha!r} is not allowed: alpha is the positives' share of the weight, "
            "0 < alpha < 1. For a ratio of positive to negative weight, pass pos_weight."
        )
    return float(alpha)


def _two(positive_weight: float, negative_weight: float, positive: int | None) -> Vector:
    weights = np.full(2, negative_weight)
    weights[positive] = positive_weight
    return weights
