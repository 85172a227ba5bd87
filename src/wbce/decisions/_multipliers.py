"""One multiplier a class: the class with the largest product of multiplier and posterior wins."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names

from wbce._numbers import as_numbers
from wbce.decisions._choice import ThresholdInterval, interval_of, part_of_probability
from wbce.decisions._objectives import (
    beta_of,
    f_beta,
    is_scorer,
    places_of_best,
    unknown_name,
)

Float64 = NDArray[np.float64]

_MOST_CUTS = 2**16
"""So many cuts of a class's multiplier are looked at; of more, an even selection."""
_MOST_CUTS_SCORED = 100
"""So many, if a scorer is asked about each."""
_MOST_SWEEPS = 20
_DECIMALS = 9
"""Rows that turn at places closer than this turn together: no multiplier lies safely between."""

_KNOWN = (
    "'f1' or 'f<beta>' (their means over the classes), 'mcc', 'balanced_accuracy', 'g_mean', "
    "'cost' (with cost_matrix), a scikit-learn scorer of decisions or its name, such as "
    "'f1_weighted', or a function of arrays tp, fp, fn, tn with a column for every class"
)


def macro(figure: Callable[..., Float64]) -> Callable[..., Float64]:
    """The mean over classes of a figure of one class against the rest."""

    def mean_over_classes(*counts: Float64) -> Float64:
        found = as_numbers(figure(*counts))
        if found is None:
            raise ValueError(
                f"threshold_objective={figure!r} returned no numbers: it gets arrays tp, fp, fn "
                "and tn with a column for every class, and returns numbers to be maximised."
            )
        return found.mean(axis=-1) if found.shape == counts[0].shape else found

    return mean_over_classes


def mean_recall(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Balanced accuracy: the mean of the recalls of all classes."""
    return (tp / (tp + fn)).mean(axis=-1)


def geometric_mean_recall(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Geometric mean of the recalls of all classes."""
    recalls = tp / (tp + fn)
    return np.prod(recalls, axis=-1) ** (1 / recalls.shape[-1])


def multiclass_mcc(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Correlation of label and decision for any number of classes (Gorodkin 2004)."""
    called, there = tp + fp, tp + fn
    n = there.sum(axis=-1)
    covariance = n * tp.sum(axis=-1) - (called * there).sum(axis=-1)
    scale = np.sqrt(n**2 - (called**2).sum(axis=-1)) * np.sqrt(n**2 - (there**2).sum(axis=-1))
    return np.divide(covariance, scale, out=np.zeros_like(n), where=scale > 0)


def accuracy(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Share of the rows that are called what they are."""
    return tp.sum(axis=-1) / (tp + fn).sum(axis=-1)


def weighted_f1(tp: Float64, fp: Float64, fn: Float64, tn: Float64) -> Float64:
    """Mean of the classes' F1, weighted by their rows."""
    there = tp + fn
    return (f_beta(1)(tp, fp, fn, tn) * there).sum(axis=-1) / there.sum(axis=-1)


_FIGURES: dict[str, Callable[..., Float64]] = {
    "balanced_accuracy": mean_recall,
    "g_mean": geometric_mean_recall,
    "mcc": multiclass_mcc,
    # scikit-learn's names for figures of counts: no scorer need be asked a thousand times
    "accuracy": accuracy,
    "f1_macro": macro(f_beta(1)),
    "f1_weighted": weighted_f1,
    "matthews_corrcoef": multiclass_mcc,
    "recall_macro": mean_recall,
}


@dataclass(frozen=True)
class ClassObjective:
    """What the multipliers are chosen for: a figure, or costs or a scorer in its place.

    Attributes
    ----------
    said : object
        As the user gave it.
    figure : callable
        Of arrays tp, fp, fn, tn of shape (n_cuts, n_classes).
    costs : ndarray of shape (n_classes, n_classes) or None
        The mean cost of a row is minimised.
    scorer : callable or None
        A scikit-learn scorer of decisions.
    """

    said: Any
    figure: Callable[..., Float64] = mean_recall
    costs: Float64 | None = None
    scorer: Any = None


def class_objective(said: Any, cost_matrix: Any = None) -> ClassObjective:
    """Understand what ``threshold_objective`` says, for three classes or more.

    Raises
    ------
    ValueError
        If it is not known, or means something for two classes only.
    """
    if isinstance(said, str):
        return _named(said, cost_matrix)
    if isinstance(said, Mapping):
        raise ValueError(
            f"threshold_objective={said!r} bounds the alarms of one class, for two classes or "
            f"labels; y has more classes. Pass {_KNOWN}."
        )
    if is_scorer(said):
        return _of_scorer(said, said)
    if callable(said):
        return ClassObjective(said, figure=macro(said))
    raise ValueError(f"threshold_objective={said!r} is not allowed: pass {_KNOWN}.")


def _named(name: str, cost_matrix: Any) -> ClassObjective:
    beta = beta_of(name)
    if beta is not None:
        return ClassObjective(name, figure=macro(f_beta(beta)))
    if name in _FIGURES:
        return ClassObjective(name, figure=_FIGURES[name])
    if name == "cost":
        if cost_matrix is None:
            raise ValueError(
                "threshold_objective='cost' needs the costs: pass cost_matrix, a row for every "
                "class and a column for every decision."
            )
        return ClassObjective(name, costs=np.asarray(cost_matrix, dtype=np.float64))
    if name in get_scorer_names():
        return _of_scorer(name, get_scorer(name))
    raise unknown_name(name, [*_FIGURES, "cost", "f1", *get_scorer_names()], _KNOWN)


def _of_scorer(said: Any, scorer: Any) -> ClassObjective:
    three = np.arange(3)
    with suppress(KeyError, TypeError, IndexError):  # it may know its own labels only
        _ask(scorer, three, three, three, None)
    return ClassObjective(said, scorer=scorer)


class _Decided(ClassifierMixin, BaseEstimator):
    """Decisions already taken, for a scorer to ask."""

    def __init__(self, decided: Any, classes: Any) -> None:
        self.decided = decided
        self.classes_ = classes

    def predict(self, X: Any) -> Any:
        return self.decided


def _ask(scorer: Any, decided: Any, labels: Any, classes: Any, sample_weight: Any) -> float:
    """What a scorer says of decisions."""
    arguments = {} if sample_weight is None else {"sample_weight": sample_weight}
    X = np.zeros((len(labels), 1))
    with warnings.catch_warnings():
        # a rule that never calls some class is one that is tried, and not an accident
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        try:
            return float(scorer(_Decided(decided, classes), X, labels, **arguments))
        except AttributeError as error:
            raise ValueError(
                f"threshold_objective={scorer!r} asks for more than decisions ({error}), and "
                "what no threshold changes: pass a scorer of decisions, such as 'f1_weighted'."
            ) from error
        except TypeError as error:
            if sample_weight is None or "sample_weight" not in str(error):
                raise
            raise ValueError(
                f"threshold_objective={scorer!r} takes no sample_weight, and the rows have "
                "weights. Pass a scorer that takes them."
            ) from error


@dataclass(frozen=True)
class ClassRows:
    """Rows of which the posterior and the label are known.

    Attributes
    ----------
    log_proba : ndarray of shape (n_samples, n_classes)
    shares : ndarray of shape (n_samples, n_classes)
        How much each row is of each class: its label, as ones and zeros.
    sample_weight : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,)
        The labels that scorers see.
    """

    log_proba: Float64
    shares: Float64
    sample_weight: Float64
    classes: NDArray[Any]

    @classmethod
    def labelled(
        cls,
        log_proba: Float64,
        codes: NDArray[np.intp],
        sample_weight: Float64,
        classes: Any = None,
    ) -> ClassRows:
        """Rows with one label each; `classes` are by default their codes."""
        n_classes = log_proba.shape[1]
        classes = np.arange(n_classes) if classes is None else classes
        return cls(log_proba, np.eye(n_classes)[codes], sample_weight, classes)

    def value(self, objective: ClassObjective, decided: NDArray[np.intp]) -> float:
        """The objective of some decisions."""
        if objective.scorer is not None:
            labels = self.classes[self.shares.argmax(axis=1)]
            weight = None if (self.sample_weight == 1).all() else self.sample_weight
            return _ask(objective.scorer, self.classes[decided], labels, self.classes, weight)
        mass = self.shares * self.sample_weight[:, None]
        if objective.costs is not None:
            return -float((mass * objective.costs.T[decided]).sum() / mass.sum())
        called = np.eye(mass.shape[1])[decided]
        there = mass.sum(axis=0)
        tp = (mass * called).sum(axis=0)
        predicted = self.sample_weight @ called
        return float(_figure_values(objective, tp[None], predicted[None], there)[0])


def smoothed_shares(rows: ClassRows) -> ClassRows:
    """Rows with part of every label replaced by probabilities, as `smoothed` does for two classes.

    The recalibration is multinomial: one slope for all classes, and one intercept for each.
    """
    mass = rows.shares * rows.sample_weight[:, None]
    relative = rows.sample_weight / rows.sample_weight.max()
    n_effective = relative.sum() ** 2 / (relative**2).sum()
    per_row = mass * (n_effective / mass.sum())
    goal = np.append(1.0, np.zeros(mass.shape[1]))
    ridge = np.append(1.0, np.full(mass.shape[1], 0.1))

    def loss_and_slope(coefficients: Float64) -> tuple[float, Float64]:
        log_q = log_softmax(coefficients[0] * rows.log_proba + coefficients[1:], axis=1)
        off = coefficients - goal
        loss = -(per_row * log_q).sum() + (ridge * off**2).sum() / 2
        wrong = np.exp(log_q) * per_row.sum(axis=1, keepdims=True) - per_row
        slope = np.append((wrong * rows.log_proba).sum(), wrong.sum(axis=0))
        return float(loss), slope + ridge * off

    found = minimize(loss_and_slope, goal, jac=True, method="L-BFGS-B").x
    expected = softmax(found[0] * rows.log_proba + found[1:], axis=1)
    rarest = n_effective * float((mass.sum(axis=0) / mass.sum()).min())
    part = part_of_probability(rarest)
    return replace(rows, shares=(1 - part) * rows.shares + part * expected)


def decide(log_proba: Float64, log_multipliers: Float64) -> NDArray[np.intp]:
    """The class of every row."""
    return np.argmax(log_proba + log_multipliers, axis=1)


def best_log_multipliers(
    rows: ClassRows, objective: ClassObjective, starts: list[Float64]
) -> tuple[Float64, float]:
    """Search for the multipliers with the best objective, one class at a time.

    For one class, with the other multipliers fixed, every distinct cut is tried, in O(n log n);
    that is repeated over the classes until none moves. From several starts the best is taken.

    Parameters
    ----------
    rows : ClassRows
    objective : ClassObjective
    starts : list of ndarray of shape (n_classes,)
        Logarithms of multipliers.

    Returns
    -------
    log_multipliers : ndarray of shape (n_classes,)
        With mean zero.
    value : float
        The objective, on these rows.

    Examples
    --------
    >>> import numpy as np
    >>> proba = np.array([[0.7, 0.2, 0.1], [0.6, 0.4, 0.0001], [0.5, 0.2, 0.3]])
    >>> rows = ClassRows.labelled(np.log(proba), np.array([0, 1, 2]), np.ones(3))
    >>> found, value = best_log_multipliers(rows, class_objective("f1"), [np.zeros(3)])
    >>> decide(rows.log_proba, found).tolist(), value
    ([0, 1, 2], 1.0)
    """
    best, best_value = starts[0], -np.inf
    for start in starts:
        found, value = _climb(rows, objective, np.array(start, dtype=np.float64))
        if best_value == -np.inf or value > best_value + 1e-12 * abs(value):
            best, best_value = found, value
    if best_value == -np.inf:
        raise ValueError(
            f"threshold_objective={objective.said!r} is NaN for every decision rule that was tried."
        )
    return best - best.mean(), best_value


def chosen_log_multipliers(
    rows: ClassRows, objective: ClassObjective, starts: list[Float64], exact: bool
) -> Float64:
    """The multipliers that are best on rows, or on rows whose labels are smoothed.

    What a scorer says of decisions is about labels: for scorers the choice is exact.
    """
    seen = rows if exact or objective.scorer is not None else smoothed_shares(rows)
    return best_log_multipliers(seen, objective, starts)[0]


def resampled_class_interval(
    rows: ClassRows,
    log_multipliers: Float64,
    objective: ClassObjective,
    exact: bool,
    *,
    level: float = 0.9,
    n_resamples: int = 50,
    seed: int = 0,
) -> ThresholdInterval:
    """Draw the rows again and choose anew, as `resampled_interval` does for two classes.

    Samples that lack a class are left out.
    """
    generator = np.random.default_rng(seed)
    decided = decide(rows.log_proba, log_multipliers)
    n_classes = rows.shares.shape[1]
    thresholds, reached = [], []
    for _ in range(n_resamples):
        drawn = generator.integers(0, len(decided), len(decided))
        again = ClassRows(
            rows.log_proba[drawn], rows.shares[drawn], rows.sample_weight[drawn], rows.classes
        )
        if not again.shares.any(axis=0).all():
            continue
        if objective.scorer is None:
            found = chosen_log_multipliers(again, objective, [log_multipliers], exact)
            thresholds.append(softmax(-found))
        else:  # asking it about every cut of every sample takes too long
            thresholds.append(np.full(n_classes, np.nan))
        reached.append(again.value(objective, decided[drawn]))
    return interval_of(thresholds, reached, level)


def _climb(
    rows: ClassRows, objective: ClassObjective, multipliers: Float64
) -> tuple[Float64, float]:
    value = rows.value(objective, decide(rows.log_proba, multipliers))
    for _ in range(_MOST_SWEEPS):
        before = value
        for k in range(len(multipliers)):
            place, reached = _best_of_one(rows, objective, multipliers, k)
            if value == -np.inf or reached > value + 1e-12 * abs(value):
                multipliers[k], value = place, reached
        if value == before:
            break
    return multipliers, rows.value(objective, decide(rows.log_proba, multipliers))


def _best_of_one(
    rows: ClassRows, objective: ClassObjective, multipliers: Float64, k: int
) -> tuple[float, float]:
    """The best multiplier of class k where the others stay, and its value."""
    others = rows.log_proba + multipliers
    others[:, k] = -np.inf
    rival = np.argmax(others, axis=1)
    # a row is called k where the multiplier is above this
    turning = np.take_along_axis(others, rival[:, None], axis=1)[:, 0] - rows.log_proba[:, k]
    points, group = np.unique(np.round(turning, _DECIMALS), return_inverse=True)
    most = _MOST_CUTS if objective.scorer is None else _MOST_CUTS_SCORED
    if len(points) > most:
        kept = np.linspace(0, len(points) - 1, most).round().astype(np.intp)
        group = np.searchsorted(kept, group)
        lower, upper = points[kept[:-1]], points[kept[:-1] + 1]
    else:
        lower, upper = points[:-1], points[1:]
    halfway = np.concatenate([[points[0] - 1], (lower + upper) / 2, [points[-1] + 1]])
    if objective.scorer is not None:
        values = np.array([rows.value(objective, np.where(turning < m, k, rival)) for m in halfway])
    else:
        values = _values_as_rows_turn(rows, objective, rival, group, len(halfway), k)
    top = values.max()
    equal = places_of_best(values)
    nearest = equal[np.argmin(np.abs(halfway[equal] - multipliers[k]))]
    return float(halfway[nearest]), float(top)


def _values_as_rows_turn(
    rows: ClassRows,
    objective: ClassObjective,
    rival: NDArray[np.intp],
    group: NDArray[np.intp],
    n_cuts: int,
    k: int,
) -> Float64:
    """The objective after each group of rows has turned from its rival class to class k."""
    n_classes = rows.shares.shape[1]
    mass = rows.shares * rows.sample_weight[:, None]

    def so_far(amount: Float64, by_rival: bool) -> Float64:
        """Sums of an amount a row over the groups that have turned, the first cut with none."""
        place, size = (group * n_classes + rival, n_classes) if by_rival else (group, 1)
        sums = np.bincount(place, weights=amount, minlength=(n_cuts - 1) * size)
        return np.vstack([np.zeros(size), np.cumsum(sums.reshape(-1, size), axis=0)])

    if objective.costs is not None:
        of_rival = (mass * objective.costs.T[rival]).sum(axis=1)
        turned = so_far(mass @ objective.costs[:, k] - of_rival, by_rival=False)[:, 0]
        return -(of_rival.sum() + turned) / mass.sum()
    hits = mass[np.arange(len(mass)), rival]
    turned_hits, turned = so_far(hits, by_rival=True), so_far(rows.sample_weight, by_rival=True)
    tp, called = turned_hits[-1] - turned_hits, turned[-1] - turned
    tp[:, k] = so_far(mass[:, k], by_rival=False)[:, 0]
    called[:, k] = turned.sum(axis=1)
    return _figure_values(objective, tp, called, mass.sum(axis=0))


def _figure_values(
    objective: ClassObjective, tp: Float64, called: Float64, there: Float64
) -> Float64:
    fp, fn = np.maximum(called - tp, 0), np.maximum(there - tp, 0)
    tn = np.maximum(there.sum() - tp - fp - fn, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.asarray(objective.figure(tp, fp, fn, tn), dtype=np.float64)
    if values.shape != (len(tp),):
        raise ValueError(
            f"threshold_objective={objective.said!r} returned an array of shape {values.shape} "
            f"for counts of shape {tp.shape}: for each of {len(tp)} decision rules, one number or "
            "one for every class."
        )
    return np.where(np.isnan(values), -np.inf, values)
