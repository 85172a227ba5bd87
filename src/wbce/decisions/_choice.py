"""Which cut of a curve: the best on these rows, or the one that will be best on the next.

With thirty positives the best cut of the validation rows is mostly noise: moving one row moves
it. `smoothed` therefore replaces part of every row's label by its probability, under a logistic
recalibration of the scores on the same rows (Platt 1999), drawn towards the posterior as it is.
Expected counts take the place of counts: two numbers are estimated, in place of the order of the
positives. The part shrinks as positives become many, so that in the limit the choice is exact.
How much that gains on real tables: ``docs/thresholds.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wbce._storable import storable
from wbce.decisions._curve import ThresholdCurve
from wbce.decisions._objectives import Objective

Float64 = NDArray[np.float64]

_POSITIVES_OF_HALF = 1000.0
"""With so many positives, label and probability count the same."""
_MOST_RESAMPLED = 2000
"""A bootstrap, and a recalibration, look at about so many scores; of more, at a selection."""


@storable("threshold interval")
@dataclass(frozen=True)
class ThresholdInterval:
    """Where the threshold, and the objective at it, lie when rows are drawn again.

    Attributes
    ----------
    threshold : tuple of float, or of ndarray of shape (n_classes,)
        Lower and upper end.
    objective : tuple of float
        Of the objective on the redrawn rows, at the threshold that was chosen.
    level : float
        The share of the redrawn samples within.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from wbce import WeightedKerasClassifier
    >>> X, y = make_classification(1000, weights=[0.9], random_state=0)
    >>> clf = WeightedKerasClassifier("linear", threshold="auto", epochs=5, random_state=0)
    >>> clf = clf.fit(X, y)
    >>> low, high = clf.threshold_interval_.threshold
    >>> bool(low <= clf.threshold_ <= high)
    True
    """

    threshold: tuple[Any, Any]
    objective: tuple[float, float]
    level: float


def choose(curve: ThresholdCurve, objective: Objective, exact: bool) -> tuple[int, ThresholdCurve]:
    """Choose a cut.

    Parameters
    ----------
    curve : ThresholdCurve
    objective : Objective
    exact : bool
        Whether to take the cut that is the best on these very rows. Constraints always hold on
        these very rows.

    Returns
    -------
    place : int
        Of the cut.
    curve : ThresholdCurve
        With its objective.

    Raises
    ------
    ValueError
        If a constraint cannot be met: it says the best that could be had.

    Examples
    --------
    >>> import numpy as np
    >>> from wbce.decisions import binary_objective, threshold_curve
    >>> scores, positive = np.array([3.0, 2.0, 0.0]), np.array([True, True, False])
    >>> curve = threshold_curve(scores, positive, np.ones(3))
    >>> place, curve = choose(curve, binary_objective("f1"), exact=True)
    >>> float(curve.log_odds[place]), float(curve.objective[place])
    (1.0, 1.0)
    """
    values = objective.values(*curve.counts)
    if np.isnan(values).all():
        raise ValueError(_infeasible(curve, objective))
    curve = replace(curve, objective=values)
    if not exact and not objective.constraints:
        expected = objective.values(*smoothed(curve).counts)
        values = values if np.isnan(expected).all() else expected
    return objective.best(values), curve


def smoothed(curve: ThresholdCurve) -> ThresholdCurve:
    """The curve with part of every label replaced by the row's probability."""
    thin = thinned(curve)
    coefficients = _recalibration(thin, thin.positives[None], thin.negatives[None])
    positives, negatives = _smoothed(
        curve, curve.positives[None], curve.negatives[None], coefficients
    )
    return replace(curve, positives=positives[0], negatives=negatives[0])


def part_of_probability(n_positives: float) -> float:
    """How much of every label gives way to the row's probability."""
    return _POSITIVES_OF_HALF / (_POSITIVES_OF_HALF + n_positives)


def resampled_interval(
    curve: ThresholdCurve,
    place: int,
    objective: Objective,
    exact: bool,
    *,
    level: float = 0.9,
    n_resamples: int = 200,
    seed: int = 0,
) -> ThresholdInterval:
    """Draw the rows again and choose anew: a Poisson bootstrap of the threshold.

    Parameters
    ----------
    curve : ThresholdCurve
    place : int
        Of the cut that was chosen.
    objective : Objective
    exact : bool
        How it was chosen.
    level : float in (0, 1), default=0.9
    n_resamples : int, default=200
    seed : int, default=0

    Returns
    -------
    ThresholdInterval
        Redrawn samples in which the constraints cannot be met, or that lack positives or
        negatives, are left out; NaN if that is all of them.
    """
    chosen = curve.log_odds[place]
    curve = thinned(curve, place)
    place = int(np.argmin(np.abs(curve.log_odds - chosen)))
    generator = np.random.default_rng(seed)
    positives, negatives = (
        _redrawn(mass, n_effective, n_resamples, generator)
        for mass, n_effective in zip(
            (curve.positives, curve.negatives), curve.n_effective, strict=True
        )
    )
    usable = (positives.sum(axis=1) > 0) & (negatives.sum(axis=1) > 0)
    positives, negatives = positives[usable], negatives[usable]
    seen = positives, negatives
    if not exact and not objective.constraints:
        coefficients = _recalibration(curve, positives, negatives)
        seen = _smoothed(curve, positives, negatives, coefficients)
    unbound = replace(objective, constraints=())
    thresholds, reached = [], []
    for found, missed, found_seen, missed_seen in zip(positives, negatives, *seen, strict=True):
        values = objective.values(*_counts(found_seen, missed_seen))
        if np.isnan(values).all():
            continue
        thresholds.append(curve.threshold[objective.best(values)])
        reached.append(float(unbound.values(*_counts(found, missed))[place]))
    return interval_of(thresholds, reached, level)


def interval_of(thresholds: list[Any], reached: list[float], level: float) -> ThresholdInterval:
    """The middle of what was found in samples; NaN where there was none."""
    if not thresholds:
        return ThresholdInterval((np.nan, np.nan), (np.nan, np.nan), level)
    ends = [50 * (1 - level), 50 * (1 + level)]
    low, high = np.percentile(thresholds, ends, axis=0)
    with np.errstate(invalid="ignore"):  # between figures of the user's that are infinite
        worst, best = np.nanpercentile(reached, ends)
    return ThresholdInterval((low, high), (float(worst), float(best)), level)


def _counts(positives: Float64, negatives: Float64) -> tuple[Float64, Float64, Float64, Float64]:
    tp, fp = np.append(0.0, np.cumsum(positives)), np.append(0.0, np.cumsum(negatives))
    return tp, fp, tp[-1] - tp, fp[-1] - fp


def _redrawn(mass: Float64, n_effective: float, n: int, generator: Any) -> Float64:
    """Every row drawn a Poisson number of times, the rows of one score together."""
    scale = mass.sum() / n_effective
    return scale * generator.poisson(mass / scale, size=(n, len(mass)))


def thinned(curve: ThresholdCurve, place: int = 0, most: int = _MOST_RESAMPLED) -> ThresholdCurve:
    """The curve with few cuts, the chosen one among them: even steps of positives and negatives.

    Parameters
    ----------
    curve : ThresholdCurve
    place : int, default=0
        Of the chosen cut.
    most : int, default=2000
        About how many cuts are left.

    Returns
    -------
    ThresholdCurve
        Without an objective, where it has fewer cuts.
    """
    if len(curve) <= most:
        return curve
    last = len(curve.scores) - 1
    kept = [np.array([last, max(place - 1, 0), min(place, last)])]
    for mass in (curve.positives, curve.negatives):
        total = np.cumsum(mass)
        steps = np.linspace(0, total[-1], most // 2)
        kept.append(np.minimum(np.searchsorted(total, steps), len(total) - 1))
    ends = np.unique(np.concatenate(kept))
    starts = np.append(0, ends[:-1] + 1)
    return replace(
        curve,
        scores=curve.scores[ends],
        positives=np.add.reduceat(curve.positives, starts),
        negatives=np.add.reduceat(curve.negatives, starts),
        objective=None,
    )


def _smoothed(
    curve: ThresholdCurve, positives: Float64, negatives: Float64, coefficients: Float64
) -> tuple[Float64, Float64]:
    """Masses of samples, one a row, with part of the labels replaced by probabilities."""
    part = part_of_probability(curve.n_effective[0])
    mass = positives + negatives
    expected = mass * expit(coefficients[:, :1] + coefficients[:, 1:] * curve.scores)
    return (
        (1 - part) * positives + part * expected,
        (1 - part) * negatives + part * (mass - expected),
    )


def _recalibration(curve: ThresholdCurve, positives: Float64, negatives: Float64) -> Float64:
    """Recalibration of samples, one a row, each equally weighted row counted as one."""
    scale = sum(curve.n_effective) / (curve.positives.sum() + curve.negatives.sum())
    return recalibration(curve.scores, positives * scale, (positives + negatives) * scale)


def recalibration(scores: Float64, positives: Float64, mass: Float64) -> Float64:
    """Logistic regression of the label on the score, one fit a sample.

    The slope is drawn towards one and the intercept, less, towards zero: normal priors with
    standard deviations 1 and sqrt(10).

    Parameters
    ----------
    scores : ndarray of shape (n_scores,)
    positives, mass : ndarray of shape (n_samples, n_scores)
        Positive rows and all rows with each score.

    Returns
    -------
    ndarray of shape (n_samples, 2)
        Intercepts and slopes.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.full((1, 2), 10000.0)
    >>> recalibration(np.array([1.0, -1.0]), rows * [[0.9, 0.1]], rows)[:, 1].round(2)  # log 9
    array([2.2])
    """
    ridge = np.array([0.1, 1.0])
    goal = np.array([0.0, 1.0])
    columns = np.stack([np.ones_like(scores), scores], axis=1)

    def loss(coefficients: Float64) -> Float64:
        z = coefficients @ columns.T
        fit = (mass * np.logaddexp(0, z) - positives * z).sum(axis=1)
        return fit + (ridge * (coefficients - goal) ** 2).sum(axis=1) / 2

    coefficients = np.tile(goal, (len(mass), 1))
    value = loss(coefficients)
    for _ in range(50):
        p = expit(coefficients @ columns.T)
        slope = (mass * p - positives) @ columns + ridge * (coefficients - goal)
        curvature = np.einsum("sn,ni,nj->sij", mass * p * (1 - p), columns, columns)
        step = np.linalg.solve(curvature + np.diag(ridge), slope[:, :, None])[:, :, 0]
        for _ in range(30):  # Newton's step, halved where it overshoots
            reached = loss(coefficients - step)
            worse = reached > value
            if not worse.any():
                break
            step[worse] /= 2
        step[worse] = 0
        coefficients -= step
        gained = np.where(worse, 0, value - reached)
        value = value - gained
        if (gained <= 1e-10 * value).all():
            break
    return coefficients


def _infeasible(curve: ThresholdCurve, objective: Objective) -> str:
    """Say that no cut will do, and which comes nearest."""
    if not objective.constraints:
        return (
            f"threshold_objective={objective.said!r} is NaN at every cut of the validation rows: "
            "it gets arrays tp, fp, fn and tn and returns a number for every cut, to be maximised."
        )
    told = []
    for constraint in objective.constraints:
        eligible = constraint.eligible(*curve.counts)
        margin = np.where(eligible, constraint.margin(*curve.counts), -np.inf)
        nearest = int(np.argmax(margin))
        value = float(constraint.figure(*(count[nearest] for count in curve.counts)))
        told.append(
            f"the {'highest' if constraint.is_minimum else 'lowest'} {constraint.what} of a cut "
            f"that {'finds a positive row' if constraint.is_minimum else 'has an alarm'} is "
            f"{value:.4g}, at threshold "
            f"{curve.threshold[nearest]:.4g} with recall {curve.recall[nearest]:.4g}"
        )
    together = "" if len(told) == 1 else ", not all at one cut"
    return (
        f"threshold_objective={objective.said!r} cannot be met on the validation rows: "
        f"{'; '.join(told)}{together}. Ask for less, or train a better network."
    )
