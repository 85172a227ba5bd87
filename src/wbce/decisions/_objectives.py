"""What a threshold is chosen for: a figure of the four counts, and constraints on them.

All figures are functions of arrays of counts, element by element, and all are maximised. Where a
figure is 0 / 0 it is zero, as in scikit-learn, or NaN where there is nothing to be zero: such a
cut is not chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, make_scorer

from wbce._numbers import as_numbers, is_number

Float64 = NDArray[np.float64]
Figure = Callable[[Float64, Float64, Float64, Float64], Float64]

_ROUNDING = 1e-12
"""Figures that differ by less, relatively, are equal; a bound missed by less is met."""


def _ratio(part: Float64, whole: Float64) -> Float64:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)


def recall(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Share of the positives that are found, tp / (tp + fn)."""
    return _ratio(tp, tp + fn)


def precision(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Share of the alarms that are positive, tp / (tp + fp)."""
    return _ratio(tp, tp + fp)


def false_positive_rate(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Share of the negatives that are called positive, fp / (fp + tn)."""
    return _ratio(fp, fp + tn)


def f_beta(beta: float) -> Figure:
    """(1 + b²) tp / ((1 + b²) tp + b² fn + fp) (van Rijsbergen 1979)."""

    def figure(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
        hits = (1 + beta**2) * tp
        return _ratio(hits, hits + beta**2 * fn + fp)

    return figure


def mcc(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Correlation of label and decision (Matthews 1975)."""
    covariance = tp * tn - fp * fn
    # the root before the product: the product of four counts of 1e7 rows has 28 digits
    scale = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
    return _ratio(covariance, scale)


def youden(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Recall minus false-positive rate (Youden 1950)."""
    return recall(tp, fp, fn, tn) - false_positive_rate(tp, fp, fn, tn)


def balanced_accuracy(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Mean of the recalls of both classes."""
    return (recall(tp, fp, fn, tn) + recall(tn, fn, fp, tp)) / 2


def g_mean(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Geometric mean of the recalls of both classes (Kubat and Matwin 1997)."""
    return np.sqrt(recall(tp, fp, fn, tn) * recall(tn, fn, fp, tp))


def negative_cost(cost_matrix: Any) -> Figure:
    """Mean cost of a row, with its sign changed; ``[[TN, FP], [FN, TP]]`` are the costs."""
    (cost_tn, cost_fp), (cost_fn, cost_tp) = np.asarray(cost_matrix, dtype=np.float64)

    def figure(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
        total = cost_tp * tp + cost_fp * fp + cost_fn * fn + cost_tn * tn
        return -total / (tp + fp + fn + tn)

    return figure


FIGURES: dict[str, Figure] = {
    "mcc": mcc,
    "balanced_accuracy": balanced_accuracy,
    "youden": youden,
    "g_mean": g_mean,
}
"""By name; F-beta of every beta and the cost come on top."""

_F_BETA = re.compile(r"f(\d+(?:\.\d+)?)")
_CONSTRAINTS = ("min_precision", "min_recall", "max_fpr", "max_alarms")
KNOWN = (
    "'f1' or 'f<beta>' such as 'f2' and 'f0.5', 'mcc', 'balanced_accuracy', 'youden', 'g_mean', "
    "'cost' (with cost_matrix), {'min_precision': p}, {'min_recall': r}, {'max_fpr': f}, "
    "{'max_alarms': number, or share below 1}, or a function of arrays tp, fp, fn, tn"
)


@dataclass(frozen=True)
class Constraint:
    """A bound on a figure of the counts.

    Attributes
    ----------
    name : str
        ``"min_precision"`` and so on.
    bound : float
    figure : callable
    what : str
        The figure in words.
    """

    name: str
    bound: float
    figure: Figure
    what: str

    @property
    def is_minimum(self) -> bool:
        """Whether the figure must not be less; else it must not be more."""
        return self.name.startswith("min")

    def eligible(self, *counts: Float64) -> NDArray[np.bool_]:
        """Cuts that can be meant: with an alarm, and for a minimum with a positive found."""
        tp, fp, *_ = counts
        return tp > 0 if self.is_minimum else tp + fp > 0

    def margin(self, *counts: Float64) -> Float64:
        """How much better than the bound the figure is; below zero where it is not met."""
        found = self.figure(*counts)
        sign = 1 if self.is_minimum else -1
        slack = sign * (found - self.bound)
        return np.where(np.abs(slack) <= _ROUNDING * max(1.0, abs(self.bound)), 0.0, slack)


@dataclass(frozen=True)
class Objective:
    """What is maximised, and under which constraints.

    Attributes
    ----------
    said : object
        As the user gave it.
    figure : callable
        Of arrays tp, fp, fn, tn; maximised.
    constraints : tuple of Constraint
    lowest_of_equals : bool
        Whether of several best cuts the lowest is taken, with the most alarms, and not the
        highest.
    """

    said: Any
    figure: Figure
    constraints: tuple[Constraint, ...] = ()
    lowest_of_equals: bool = False

    def values(self, *counts: Float64) -> Float64:
        """The figure of every cut; NaN where a constraint is not met.

        Raises
        ------
        ValueError
            If a function of the user's does not give one number a cut.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            found = as_numbers(self.figure(*counts))
        if found is None or found.shape != counts[0].shape:
            what = "no numbers" if found is None else f"an array of shape {found.shape}"
            raise ValueError(
                f"threshold_objective={self.said!r} returned {what} for "
                f"counts of shape {counts[0].shape}: it gets arrays tp, fp, fn and tn with one "
                "number for every cut, and returns one number for every cut, to be maximised."
            )
        for constraint in self.constraints:
            met = (constraint.margin(*counts) >= 0) & constraint.eligible(*counts)
            found = np.where(met, found, np.nan)
        return found

    def best(self, values: Float64) -> int:
        """The place of the best of some values."""
        return int(places_of_best(values)[-1 if self.lowest_of_equals else 0])


def binary_objective(said: Any, cost_matrix: Any = None) -> Objective:
    """Understand what ``threshold_objective`` says, for two classes or a label.

    Parameters
    ----------
    said : str, dict or callable
    cost_matrix : array-like of shape (2, 2), optional
        For ``"cost"``.

    Returns
    -------
    Objective

    Raises
    ------
    ValueError
        If it is not known or out of range.

    Examples
    --------
    >>> objective = binary_objective("f2")
    >>> float(objective.figure(5.0, 5.0, 0.0, 90.0))
    0.8333333333333334
    """
    if isinstance(said, Mapping):
        return _constrained(dict(said))
    if isinstance(said, str):
        return Objective(said, _named(said, cost_matrix))
    if is_scorer(said):
        raise ValueError(
            f"threshold_objective={said!r}: scorers are for three classes or more. For two, and "
            f"for labels, pass {KNOWN}."
        )
    if callable(said):
        return Objective(said, said)
    raise ValueError(f"threshold_objective={said!r} is not allowed: pass {KNOWN}.")


def places_of_best(values: Float64) -> NDArray[np.intp]:
    """Where some values, of which not all are NaN, are the highest, but for rounding."""
    top = np.nanmax(values)
    least = top - _ROUNDING * abs(top) if np.isfinite(top) else top
    return np.flatnonzero(values >= least)


def is_scorer(said: Any) -> bool:
    """Whether it is what scikit-learn's ``make_scorer`` makes."""
    return isinstance(said, type(make_scorer(accuracy_score)))


def beta_of(name: str) -> float | None:
    """The beta in ``"f<beta>"``; None for other names.

    Raises
    ------
    ValueError
        If it is zero.
    """
    match = _F_BETA.fullmatch(name)
    if match is None:
        return None
    beta = float(match[1])
    if beta == 0:
        raise ValueError(
            f"threshold_objective={name!r}: beta is how many times recall counts as much as "
            "precision, and above zero. For precision alone, pass {'min_recall': r}."
        )
    return beta


def unknown_name(name: str, known: list[str], allowed: str = KNOWN) -> ValueError:
    """The error for a name that is not known."""
    near = get_close_matches(name.lower().replace("-", "_").replace(" ", "_"), known, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"threshold_objective={name!r} is not known.{hint} Known: {allowed}.")


def _named(name: str, cost_matrix: Any) -> Figure:
    beta = beta_of(name)
    if beta is not None:
        return f_beta(beta)
    if name in FIGURES:
        return FIGURES[name]
    if name != "cost":
        raise unknown_name(name, [*FIGURES, "cost", "f1", "f2", "f0.5"])
    if cost_matrix is None:
        raise ValueError(
            "threshold_objective='cost' needs the costs: pass cost_matrix; its [i, j] is the cost "
            "of calling a row of class i a j, classes in sorted order."
        )
    return negative_cost(cost_matrix)


def _constrained(said: dict[Any, Any]) -> Objective:
    given = {name: value for name, value in said.items() if name != "per"}
    unknown = [name for name in given if name not in _CONSTRAINTS]
    if unknown or not given:
        near = get_close_matches(str(unknown[0]), _CONSTRAINTS, 1) if unknown else []
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"threshold_objective={said!r} is not allowed.{hint} A dict names what must hold: one "
            f"or more of {list(_CONSTRAINTS)}, and 'per' beside 'max_alarms'."
        )
    if "per" in said and "max_alarms" not in said:
        raise ValueError(f"threshold_objective={said!r}: 'per' goes with 'max_alarms' only.")
    constraints = tuple(
        _alarm_limit(value, said.get("per")) if name == "max_alarms" else _share_limit(name, value)
        for name, value in given.items()
    )
    if "min_recall" in given:
        return Objective(said, precision, constraints, lowest_of_equals=True)
    # who can look at so many alarms looks at so many: positives to come may be among the last
    return Objective(said, recall, constraints, lowest_of_equals=set(given) == {"max_alarms"})


def of_so_many(said: Any, n: int) -> Any:
    """The objective with a bare number of alarms taken as that among `n` rows."""
    if not isinstance(said, Mapping) or "per" in said or not said.get("max_alarms", 0) >= 1:
        return said
    return {**said, "max_alarms": min(said["max_alarms"], n), "per": n}


def _share_limit(name: str, value: Any) -> Constraint:
    figure, what = {
        "min_precision": (precision, "precision"),
        "min_recall": (recall, "recall"),
        "max_fpr": (false_positive_rate, "false-positive rate"),
    }[name]
    if not is_number(value) or not 0 <= value <= 1:
        raise ValueError(
            f"threshold_objective={{{name!r}: {value!r}}} is not allowed: {what} is a share, "
            "between 0 and 1."
        )
    return Constraint(name, float(value), figure, what)


def _alarm_limit(value: Any, per: Any) -> Constraint:
    def share(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
        return (tp + fp) / (tp + fp + fn + tn)

    def number(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
        return tp + fp

    if not is_number(value) or value <= 0:
        raise ValueError(
            f"threshold_objective={{'max_alarms': {value!r}}} is not allowed: pass the number of "
            "alarms among the rows passed, 1 or more; or their share, below 1; or both numbers, "
            "{'max_alarms': 200, 'per': 50000}."
        )
    if per is None:
        if value < 1:
            return Constraint("max_alarms", float(value), share, "share of alarms")
        return Constraint("max_alarms", float(value), number, "number of alarms")
    if not is_number(per) or not per >= value:
        raise ValueError(
            f"threshold_objective={{'max_alarms': {value!r}, 'per': {per!r}}} is not allowed: "
            "'per' is the number of rows among which there may be so many alarms, and no smaller."
        )
    return Constraint("max_alarms", float(value) / float(per), share, "share of alarms")
